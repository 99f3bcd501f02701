import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatEvent, ChatStream } from "modelyard/plugin";
import { answerStream, asArray, errorFromBody, isObject } from "modelyard/kit";
import type { AnswerPiece, AnswerReader } from "modelyard/kit";
import { ChunkReader } from "./chunk-reader.ts";

export interface AnswerOptions {
  /** The number of requested candidates. */
  readonly choices: number;
  /** The call; a read rejects with the reason of its aborted signal. */
  readonly call: Pick<Call, "signal"> & Partial<Pick<Call, "log">>;
}

/**
 * Returns the events of an answer with a 2xx status, an event stream, a JSON document or an array of them as its body
 * shows. It is complete when each candidate had its `finishReason`, or the prompt was blocked. Rejects with
 * `truncated`, with `bad-response` if it is malformed, or with the error in it.
 */
export function answerOf(response: Response, options: AnswerOptions): ChatStream {
  return answerStream(response, options.call, new Answer(options));
}

class Answer implements AnswerReader {
  // What a candidate says behind its reason is read, too.
  readonly isFinished = false;
  readonly #options: AnswerOptions;
  readonly #chunks: ChunkReader;
  #isMarked = false;

  constructor(options: AnswerOptions) {
    this.#options = options;
    this.#chunks = new ChunkReader(options.choices);
  }

  read(piece: AnswerPiece): Iterable<ChatEvent> {
    if (piece.kind === "document") return this.#document(piece);
    return piece.kind === "stray" ? this.#stray(piece) : this.#event(piece);
  }

  *#event({ data, json }: AnswerPiece): Generator<ChatEvent, void> {
    // Not Google's; servers that also offer OpenAI's API end with it.
    if (data === "[DONE]") this.#isMarked = true;
    else if (data.trim() !== "") yield* this.#read(json, data);
  }

  *#document({ json, data }: AnswerPiece): Generator<ChatEvent, void> {
    yield* this.#read(json, data);
    if (!this.#chunks.hasAnswer) throw malformed(data);
    const missing = this.#chunks.endAll();
    if (missing.length > 0)
      this.#options.call.log?.warn("an answer without a finishReason was taken as whole");
    yield* missing;
  }

  *#read(json: AnswerPiece["json"], data: string): Generator<ChatEvent, void> {
    for (const chunk of Array.isArray(json) ? asArray(json) : [json]) {
      const isResponse = isObject(chunk) && RESPONSE_MEMBERS.some((name) => name in chunk);
      if (!isResponse) throw malformed(data);
      const { events, failure } = this.#chunks.read(chunk);
      yield* events;
      if (failure) throw failure;
    }
  }

  /** Reads an error in mid-stream, which is bare JSON, not an event. */
  #stray({ json, data }: AnswerPiece): ChatEvent[] {
    const first = Array.isArray(json) ? asArray(json)[0] : json;
    if (isObject(first) && first["error"]) throw errorFromBody(first);
    if (!this.#chunks.isFinished()) throw malformed(data);
    return [];
  }

  end(): ChatEvent[] {
    const { choices } = this.#options;
    if (!this.#chunks.hasAnswer && this.#chunks.hasRead)
      throw new UpstreamError("bad-response", "Gemini sent an answer without candidates");
    if (!this.#chunks.isFinished(this.#isMarked ? 1 : choices) || (!this.#isMarked && this.#chunks.isOutrun))
      throw new UpstreamError("truncated", "Gemini's answer broke off before its end");
    return [];
  }
}

/** The members that identify a `GenerateContentResponse`. */
const RESPONSE_MEMBERS = [
  "candidates",
  "promptFeedback",
  "usageMetadata",
  "modelVersion",
  "responseId",
  "error",
];

function malformed(text: string): UpstreamError {
  return new UpstreamError("bad-response", "Gemini sent something that is no answer", { detail: text });
}
