import type { JsonObject } from "../../contract/index.ts";
import { inOneLine } from "../one-line.ts";

/** The frame that fills silence: clients drop it, and it restarts their timers. */
export const PING_FRAME = `event: ping\ndata: {"type":"ping"}\n\n`;

/**
 * Writes one event of a stream. Its name stands before the data, because clients skip data without one. Half of a
 * surrogate pair stays: its other half may be in the next event.
 */
export function frame(type: string, members: JsonObject): string {
  return `event: ${type}\ndata: ${inOneLine(JSON.stringify({ type, ...members }))}\n\n`;
}
