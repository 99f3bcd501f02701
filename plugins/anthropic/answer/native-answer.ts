import { answerStream, asObject, asString } from "modelyard/kit";
import type { AnswerPiece, AnswerReader } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { CanonicalEvent, ChatEvent, ChatStream, NativeEvent } from "modelyard/plugin";
import { Answer } from "./answer.ts";
import type { AnswerCall } from "./answer.ts";

/**
 * Returns an answer's frames as the server wrote them, each with its events: those of an event stream, or one document,
 * as the client asked. An answer in the other form has events alone. Pings are left out; rejects as `answerOf` does.
 */
export function nativeAnswerOf(response: Response, call: AnswerCall, isStream: boolean): ChatStream {
  return answerStream(response, call, new NativeAnswer(call, isStream));
}

/** Limit of the frames that are held. */
const MAX_HELD = 100;

class NativeAnswer implements AnswerReader {
  readonly #answer: Answer;
  readonly #isStream: boolean;
  #hasStarted = false;
  /**
   * The frames from the end of a call on that can't be run, or from a `stop_reason` before its end: clients run a call
   * that is closed, so that these go out only once the answer is found to be good.
   */
  #held: NativeEvent[] = [];

  constructor(call: AnswerCall, isStream: boolean) {
    this.#answer = new Answer(call);
    this.#isStream = isStream;
  }

  get isFinished(): boolean {
    return this.#answer.isFinished;
  }

  read(piece: AnswerPiece): Iterable<ChatEvent> {
    if (piece.kind === "document") return this.#isStream ? this.#answer.read(piece) : this.#document(piece);
    const events = this.#answer.readEvent(piece);
    if (piece.kind === "stray" || !this.#isStream) return events;
    if (piece.data === "[DONE]") return this.#judged(endMark(events));
    const name = nameOf(piece);
    if (name === "ping" || piece.data.trim() === "") return events;
    // Clients take only one.
    if (name === "message_start" && this.#hasStarted) return events;
    this.#hasStarted ||= name === "message_start";
    return this.#judged(frame(name, piece.data, events));
  }

  end(): Iterable<ChatEvent> {
    const events = this.#answer.end();
    // The server knows no end mark, and clients wait for one.
    return this.#isStream ? this.#judged(endMark(events)) : events;
  }

  /** Yields the frames that can go out now. Throws where the answer calls a tool that can't be run and was not cut. */
  *#judged(next: NativeEvent): Generator<ChatEvent, void> {
    const { isFinished, hasLeftCallOpen, hasBrokenCall } = this.#answer.message;
    this.#held.push(next);
    if (!isFinished && (hasLeftCallOpen || hasBrokenCall) && this.#held.length <= MAX_HELD) return;
    const held = this.#held;
    this.#held = [];
    if (!hasBrokenCall || held.some(({ events }) => events.some(isCut))) return yield* held;
    // What it cost is told though it is no answer.
    yield* held.flatMap(({ events }) => events).filter(({ type }) => type === "usage");
    throw new UpstreamError(
      "bad-response",
      "the upstream called a tool with arguments that are no JSON object",
    );
  }

  *#document(piece: AnswerPiece): Generator<ChatEvent, void> {
    const events: CanonicalEvent[] = [];
    try {
      for (const event of this.#answer.read(piece)) events.push(event);
    } catch (error) {
      // What it cost is told though it is no answer.
      yield* events.filter(({ type }) => type === "usage");
      throw error;
    }
    // Clients go by the reason: where the server gave none, the gateway writes the message.
    if (this.#answer.message.lacksReason) yield* events;
    else yield frame("document", piece.data, events);
  }
}

/** Whether an event is the finish of an answer whose last call may be half. */
function isCut(event: CanonicalEvent): boolean {
  return event.type === "finish" && (event.reason === "length" || event.reason === "content_filter");
}

/** Some proxies leave out the names, without which Anthropic's SDK reads nothing. */
function nameOf(piece: AnswerPiece): string {
  return piece.event === "message" ? asString(asObject(piece.json)?.["type"]) : piece.event;
}

function frame(name: string, data: string, events: readonly CanonicalEvent[]): NativeEvent {
  return { type: "native", name, data, events };
}

function endMark(events: readonly CanonicalEvent[]): NativeEvent {
  return frame("message_stop", `{"type":"message_stop"}`, events);
}
