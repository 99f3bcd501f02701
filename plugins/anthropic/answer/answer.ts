import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatEvent, ChatStream } from "modelyard/plugin";
import { answerStream, asObject, asString, failureIn } from "modelyard/kit";
import type { AnswerPiece } from "modelyard/kit";
import { MessageReader } from "./message-reader.ts";

type AnswerCall = Pick<Call, "signal"> & Partial<Pick<Call, "log">>;

/**
 * The events of an answer, be it an event stream or one JSON document: the body itself decides. Rejects with
 * `truncated` if it broke off before its end mark, `bad-response` if it can't be understood, or what an error
 * event says. Leaving the stream closes the connection at once.
 */
export function answerOf(response: Response, call: AnswerCall): ChatStream {
  return answerStream(response, call, (pieces) => eventsOf(pieces, call));
}

async function* eventsOf(
  pieces: AsyncIterable<AnswerPiece>,
  call: AnswerCall,
): AsyncGenerator<ChatEvent, void> {
  const reader = new MessageReader();
  for await (const piece of pieces) {
    if (piece.kind === "document") return yield* documentEvents(piece, reader, call);
    yield* understood(piece, reader);
    if (reader.isFinished) return;
  }
  yield* reader.end();
}

function understood(piece: AnswerPiece, reader: MessageReader): ChatEvent[] {
  const { kind, event, data, json } = piece;
  if (kind === "event" && data.trim() === "") return [];
  // Anthropic has no such event, and servers that offer OpenAI's API as well end with it.
  if (data === "[DONE]") return reader.stop();
  const members = asObject(json);
  const type = asString(members?.["type"]) || event;
  if (type === "error" || members?.["error"]) throw failureIn(json ?? data);
  if (kind === "stray") return reader.hasEnd ? [] : throwing(notUnderstood(data));
  if (!members) throw notUnderstood(data);
  return reader.read(type, members);
}

function throwing(error: UpstreamError): never {
  throw error;
}

function* documentEvents(
  { data, json }: AnswerPiece,
  reader: MessageReader,
  call: AnswerCall,
): Generator<ChatEvent, void> {
  const message = asObject(json);
  if (message?.["type"] === "error" || message?.["error"]) throw failureIn(json);
  if (!message || !Array.isArray(message["content"])) throw notUnderstood(data);
  yield* reader.readWhole(message);
  if (reader.lacksReason) call.log?.warn("an answer without a stop_reason was taken as whole");
}

function notUnderstood(said: string): UpstreamError {
  return new UpstreamError("bad-response", "the upstream sent something that is no message", {
    detail: said,
  });
}
