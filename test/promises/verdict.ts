import OpenAI from "openai";
import type { RunningGateway } from "../support/gateway.ts";

/** What the official client and the wire say of one answer. */
export interface Verdict {
  /** What the official client threw, if it did. */
  readonly error: unknown;
  readonly status: number;
  /** The answer's body. */
  readonly raw: string;
}

export interface Asking {
  readonly model?: string;
  readonly prompt: string;
  readonly stream: boolean;
  /** Told when the answer's finish has come. */
  readonly finished?: () => void;
}

/** Asks with the official client, and keeps what it was sent. */
export async function ask({ baseURL, key }: RunningGateway, asking: Asking): Promise<Verdict> {
  let status = 0;
  let raw = "";
  const keep = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const response = await fetch(url, init);
    ({ status } = response);
    const decoder = new TextDecoder();
    for await (const piece of response.body ?? []) {
      raw += decoder.decode(piece, { stream: true });
      if (finishIn(raw)) asking.finished?.();
    }
    return new Response(raw, { status, headers: response.headers });
  };
  const client = new OpenAI({ baseURL, apiKey: key, maxRetries: 0, fetch: keep });
  try {
    await complete(client, asking);
    return { error: undefined, status, raw };
  } catch (error) {
    return { error, status, raw };
  }
}

async function complete(client: OpenAI, { model = "m", prompt, stream }: Asking): Promise<void> {
  const messages = [{ role: "user", content: prompt }] as const;
  if (!stream) {
    await client.chat.completions.create({ model, messages: [...messages] });
    return;
  }
  const chunks = await client.chat.completions.create({ model, messages: [...messages], stream });
  for await (const chunk of chunks)
    if (!Array.isArray(chunk.choices)) throw new Error("a chunk without choices");
}

function finishIn(raw: string): boolean {
  return raw.includes(`"finish_reason":"`);
}

/** What is wrong with an answer that must be either finished or failed, and so that a client can tell which. */
export function flawIn({ status, raw, error }: Verdict, stream: boolean): string | undefined {
  if (status >= 500) return error && "error" in JSON.parse(raw) ? undefined : "an HTTP error nobody noticed";
  if (status !== 200) return `status ${status}`;
  if (!stream) return error ? "a 200 that the client refused" : undefined;
  const done = raw.split("data: [DONE]\n\n").length - 1;
  const errors = raw.split(`data: {"error":`).length - 1;
  const ends = `${done} [DONE], ${errors} error frames, ${finishIn(raw) ? "a" : "no"} finish`;
  if (error) return done === 0 && errors === 1 && !finishIn(raw) ? undefined : `failed with ${ends}`;
  return done === 1 && errors === 0 && finishIn(raw) ? undefined : `finished with ${ends}`;
}
