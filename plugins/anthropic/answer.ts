import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatEvent, ChatStream } from "modelyard/plugin";
import { failureIn, parseAsWritten, readJson, sse } from "modelyard/kit";
import type { SseEvent } from "modelyard/kit";
import { objectOf, textOf } from "./json.ts";
import { MessageReader } from "./message-reader.ts";

/**
 * The events of an answer, be it an event stream or one JSON document: its content type decides. Rejects with
 * `truncated` if it broke off before its end mark, `bad-response` if it can't be understood, or what an error
 * event says. Whoever leaves the loop closes the connection at once.
 */
export function answerOf(response: Response, call: Pick<Call, "signal">): ChatStream {
  const isStream = /event-stream/i.test(response.headers.get("content-type") ?? "");
  if (!isStream || !response.body) return plainEvents(response, call.signal);
  const said = sse(response.body);
  const events = streamEvents(said, call.signal);
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => events.next(),
      // A generator alone would go on waiting for the next event.
      async return() {
        await said.return?.();
        return events.return();
      },
    }),
  };
}

async function* streamEvents(
  said: AsyncIterator<SseEvent>,
  signal: AbortSignal,
): AsyncGenerator<ChatEvent, void> {
  const reader = new MessageReader();
  try {
    while (!reader.isFinished) yield* understood(await nextOf(said, signal), reader);
  } finally {
    await said.return?.();
  }
}

async function nextOf(said: AsyncIterator<SseEvent>, signal: AbortSignal): Promise<SseEvent> {
  let why = "";
  try {
    const next = await said.next();
    if (!next.done) return next.value;
  } catch (error) {
    signal.throwIfAborted();
    if (UpstreamError.is(error)) throw error;
    // Bun's own messages name the whole URL.
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    why = ` (${typeof code === "string" ? code : "the connection failed"})`;
  }
  throw new UpstreamError("truncated", `the upstream's answer broke off before its end${why}`);
}

function understood({ event, data }: SseEvent, reader: MessageReader): ChatEvent[] {
  if (data.trim() === "") return [];
  const json = parseAsWritten(data);
  const members = objectOf(json);
  const type = textOf(members?.["type"]) || event;
  if (type === "error") throw failureIn(json ?? data);
  if (!members) throw notUnderstood(data);
  return reader.read(type, members);
}

async function* plainEvents(response: Response, signal: AbortSignal): AsyncGenerator<ChatEvent, void> {
  const json = await readJson(response, signal, parseAsWritten);
  const message = objectOf(json);
  if (message?.["type"] === "error" || objectOf(message?.["error"])) throw failureIn(json);
  if (!message || !Array.isArray(message["content"])) throw notUnderstood(JSON.stringify(json));
  yield* new MessageReader().readWhole(message);
}

function notUnderstood(said: string): UpstreamError {
  return new UpstreamError("bad-response", `the upstream sent something that is no message: ${said}`);
}
