import type { JsonObject } from "../contract/index.ts";
import { renamedFrom, sourceOf } from "../contract/source.ts";

/**
 * The bytes that its client wrote, if they are kept with a body, or with the one of which it is a copy with another
 * model: that is then put into them, and all else stays as it was written, long numbers and the order of members too.
 */
export function writtenBytes(body: JsonObject): Uint8Array<ArrayBuffer> | undefined {
  const original = renamedFrom(body);
  if (!original) return sourceOf(body)?.bytes;
  const source = sourceOf(original);
  return source && withModel(source.bytes, body["model"]);
}

const MODEL = Buffer.from('"model"');
/** The name's value, as far as it has no escapes. */
const VALUE = /^\s*:\s*"[^"\\]*"/;
/** No model has a longer name. */
const MAX_VALUE = 4_096;

function withModel(bytes: Uint8Array<ArrayBuffer>, model: unknown): Uint8Array<ArrayBuffer> | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const from = buffer.indexOf(MODEL) + MODEL.length;
  // As latin1 a byte is a character, so places are the same.
  const [value] = VALUE.exec(buffer.toString("latin1", from, from + MAX_VALUE)) ?? [];
  if (value === undefined) return undefined;
  const written = Buffer.from(`:${JSON.stringify(model)}`);
  return Buffer.concat([buffer.subarray(0, from), written, buffer.subarray(from + value.length)]);
}
