import type { JsonObject } from "../../contract/index.ts";
import { stringifyJson } from "../../json/json-text.ts";
import { inOneLine } from "../one-line.ts";

/** The frame that fills silence: clients drop it, and it restarts their timers. */
export const PING_FRAME = `event: ping\ndata: {"type":"ping"}\n\n`;

/** Writes one event of a stream. Its name stands before the data, because clients skip data without one. */
export function frame(type: string, members: JsonObject): string {
  return `event: ${type}\ndata: ${inOneLine(stringifyJson({ type, ...members }))}\n\n`;
}
