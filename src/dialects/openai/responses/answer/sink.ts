import type { JsonObject } from "../../../../contract/index.ts";
import { stringifyJson } from "../../../../json/json-text.ts";
import { inOneLine } from "../../../one-line.ts";

/** Takes the events of an answer in their order. */
export interface EventSink {
  event(type: string, fields: JsonObject): void;
  /** The same with the members already written, without the braces around them. */
  written(type: string, members: string): void;
}

/** Writes events as frames, numbered from 0. */
export class FrameSink implements EventSink {
  #frames = "";
  #next: number;

  /** `next` is the number of the first event. */
  constructor(next = 0) {
    this.#next = next;
  }

  event(type: string, fields: JsonObject): void {
    this.written(type, inOneLine(stringifyJson(fields)).slice(1, -1));
  }

  written(type: string, members: string): void {
    const number = this.#next++;
    this.#frames += `event: ${type}\ndata: {"type":"${type}","sequence_number":${number},${members}}\n\n`;
  }

  /** Returns the frames since the last call. */
  take(): string {
    const frames = this.#frames;
    this.#frames = "";
    return frames;
  }
}

/** Takes no notice: of a plain answer only its end is told. */
export const NO_EVENTS: EventSink = { event: () => undefined, written: () => undefined };
