import { UpstreamError } from "modelyard/plugin";
import type { Call, CanonicalEvent, ChatStream } from "modelyard/plugin";
import { answerStream, asObject, asString, errorFromBody } from "modelyard/kit";
import type { AnswerPiece, AnswerReader } from "modelyard/kit";
import { MessageReader } from "./message-reader.ts";

/** What an answer needs of its call. */
export type AnswerCall = Pick<Call, "signal"> & Partial<Pick<Call, "log">>;

/**
 * Returns the events of an answer, an event stream or one JSON document as its body shows. Rejects with `truncated` if
 * it ended before its end mark, `bad-response` if it is malformed, or the error of an error event. Closing the stream
 * closes the connection at once.
 */
export function answerOf(response: Response, call: AnswerCall): ChatStream {
  return answerStream(response, call, new Answer(call));
}

/** Reads an answer piece by piece. */
export class Answer implements AnswerReader {
  readonly message = new MessageReader();
  readonly #call: AnswerCall;

  constructor(call: AnswerCall) {
    this.#call = call;
  }

  get isFinished(): boolean {
    return this.message.isFinished;
  }

  read(piece: AnswerPiece): Iterable<CanonicalEvent> {
    return piece.kind === "document"
      ? documentEvents(piece, this.message, this.#call)
      : this.readEvent(piece);
  }

  /** Returns the events of a piece of a stream. */
  readEvent(piece: AnswerPiece): CanonicalEvent[] {
    const [, text] = TEXT_PIECE.exec(piece.data) ?? [];
    return text ? this.message.readText(text) : eventsOfPiece(piece, this.message);
  }

  end(): CanonicalEvent[] {
    return this.message.end();
  }
}

/**
 * Nearly every event: a piece of text without escapes, as the API writes it, with the blanks by which it hides its length.
 * To parse it would take a tenth of all that a stream costs.
 */
const TEXT_PIECE =
  /^\{"type":"content_block_delta","index":\d+,"delta":\{"type":"text_delta","text":"([ !#-[\]-\uffff]*)"\} *\}$/;

function eventsOfPiece(piece: AnswerPiece, reader: MessageReader): CanonicalEvent[] {
  const { kind, event, data, json } = piece;
  if (kind === "event" && data.trim() === "") return [];
  // Not an event of Anthropic's; servers that also offer OpenAI's API end with it.
  if (data === "[DONE]") return reader.stop();
  const members = asObject(json);
  const type = asString(members?.["type"]) || event;
  if (type === "error" || members?.["error"]) throw errorFromBody(json ?? data);
  if (kind === "stray") return reader.hasEnd ? [] : raise(malformed(data));
  if (!members) throw malformed(data);
  return reader.read(type, members);
}

function raise(error: UpstreamError): never {
  throw error;
}

function* documentEvents(
  { data, json }: AnswerPiece,
  reader: MessageReader,
  call: AnswerCall,
): Generator<CanonicalEvent, void> {
  const message = asObject(json);
  if (message?.["type"] === "error" || message?.["error"]) throw errorFromBody(json);
  if (!message || !Array.isArray(message["content"])) throw malformed(data);
  yield* reader.readWhole(message);
  if (reader.lacksReason) call.log?.warn("an answer without a stop_reason was taken as whole");
}

function malformed(detail: string): UpstreamError {
  return new UpstreamError("bad-response", "the upstream sent something that is no message", {
    detail,
  });
}
