import type { Said } from "./answer-check.ts";

interface MessageEvent {
  readonly type: string;
  readonly delta?: { readonly text?: string; readonly stop_reason?: string };
  readonly usage?: { readonly output_tokens: number };
  readonly error?: unknown;
}

/** What an event of a Messages stream says, as a chunk of a chat would say it. */
export function messagePiece(frame: string): Said | "end" {
  const [, name = "", data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(frame) ?? [];
  if (name === "") throw new Error(`no event: ${frame.slice(0, 80)}`);
  const { type, delta, usage, error } = JSON.parse(data) as MessageEvent;
  if (type !== name) throw new Error(`${type} is called ${name}`);
  if (type === "message_stop") return "end";
  const finish = delta?.stop_reason === "end_turn" ? "stop" : null;
  return {
    choices: [{ delta: { content: delta?.text ?? "" }, finish_reason: finish }],
    ...(usage && { usage: { completion_tokens: usage.output_tokens } }),
    ...(error !== undefined && { error }),
  };
}
