import { errorFromBody, sse } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { ChatEvent, ChatStream, FinishReason, JsonObject } from "modelyard/plugin";

/** What the events of the upstream say, by their names. Names that aren't here, as `ping`, say nothing. */
interface Said {
  readonly text: { readonly text: string };
  readonly thought: { readonly text: string };
  readonly call: {
    readonly number: number;
    readonly id?: string;
    readonly name?: string;
    readonly json?: string;
  };
  readonly end: {
    readonly reason: FinishReason;
    readonly tokens?: { readonly read: number; readonly written: number };
  };
}

/** The contract's events for each of the upstream's. */
const READERS: { readonly [name in keyof Said]: (said: Said[name]) => ChatEvent[] } = {
  text: ({ text }) => [{ type: "text", text }],
  thought: ({ text }) => [{ type: "reasoning", text }],
  call: ({ number, id, name, json }) => [
    {
      type: "tool-call",
      index: number,
      ...(id !== undefined && { id }),
      ...(name !== undefined && { name }),
      ...(json !== undefined && { arguments: json }),
    },
  ],
  end: ({ reason, tokens }) => [
    ...(tokens ? [{ type: "usage" as const, usage: { input: tokens.read, output: tokens.written } }] : []),
    { type: "finish", reason },
  ],
};

/** The answer in a body. One that ends before its event `end` has no finish, which makes it a failure. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): ChatStream {
  for await (const { event, data } of sse(body)) {
    const said = parsed(data);
    if (event === "error") throw errorFromBody(said);
    yield* read(event, said);
    if (event === "end") return;
  }
}

function read(event: string, said: JsonObject): readonly ChatEvent[] {
  if (!Object.hasOwn(READERS, event)) return [];
  // The upstream's word is taken for the shape; the gateway checks each event before it is written to a client.
  return READERS[event as keyof Said](said as never);
}

function parsed(data: string): JsonObject {
  try {
    return JSON.parse(data) as JsonObject;
  } catch (cause) {
    throw new UpstreamError("bad-response", "an event of the upstream is no JSON", { cause });
  }
}
