import { SseParser } from "../../src/kit/sse/sse.ts";
import type { ResponseFrame } from "./recording.ts";
import { parseJson } from "./socket-packet.ts";

/** Writes the content of a body into the frame of its response. */
export interface BodyReader {
  /** Takes the next piece with its time of arrival in milliseconds. */
  push(piece: Uint8Array, at: number): void;
  /** Called when the body has ended or failed. */
  end(): void;
}

/** Returns the reader for a content type: events of a stream, lines of JSON, or text. Other bytes are not recorded. */
export function readerOf(contentType: string, frame: ResponseFrame): BodyReader {
  if (contentType === "text/event-stream") return eventReader((frame.events = []));
  if (/ndjson|jsonl|json-seq|json-lines/.test(contentType)) return lineReader((frame.events = []));
  if (/json|text|xml|^$/.test(contentType)) return textReader(frame);
  return { push: () => undefined, end: () => undefined };
}

type Events = NonNullable<ResponseFrame["events"]>;

function eventReader(events: Events): BodyReader {
  const parser = new SseParser();
  return {
    push(piece, at) {
      for (const { event, data } of parser.push(piece)) {
        events.push({ at, event, data: parseJson(data) ?? "" });
      }
    },
    end: () => undefined,
  };
}

function lineReader(events: Events): BodyReader {
  const decoder = new TextDecoder();
  let rest = "";
  return {
    push(piece, at) {
      const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) addLine(events, line, at);
    },
    end: () => addLine(events, rest, events.at(-1)?.at ?? 0),
  };
}

function addLine(events: Events, line: string, at: number): void {
  const data = parseJson(line.trim());
  if (data !== undefined) events.push({ at, event: "line", data });
}

function textReader(frame: ResponseFrame): BodyReader {
  const decoder = new TextDecoder();
  let text = "";
  return {
    push: (piece) => void (text += decoder.decode(piece, { stream: true })),
    end() {
      const body = parseJson(text);
      if (body !== undefined) frame.body = body;
    },
  };
}
