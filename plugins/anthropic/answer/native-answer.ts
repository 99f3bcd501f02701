import { answerStream, asObject, asString } from "modelyard/kit";
import type { AnswerPiece, AnswerReader } from "modelyard/kit";
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

class NativeAnswer implements AnswerReader {
  readonly #answer: Answer;
  readonly #isStream: boolean;

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
    if (piece.data === "[DONE]") return [endMark(events)];
    const name = nameOf(piece);
    return name === "ping" || piece.data.trim() === "" ? events : [frame(name, piece.data, events)];
  }

  end(): ChatEvent[] {
    const events = this.#answer.end();
    // The server knows no end mark, and clients wait for one.
    return this.#isStream ? [endMark(events)] : events;
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
    yield frame("document", piece.data, events);
  }
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
