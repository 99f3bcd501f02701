import { isNumber } from "../contract/index.ts";

/** Bytes of an empty object or array, and of each member beside its value. */
const OBJECT = 48;
const MEMBER = 16;
const TEXT = 24;

/**
 * Returns roughly how many bytes a value takes in memory, precise enough for a limit. Strings count by their UTF-8
 * length; names of members are shared by all objects of their kind and don't count.
 */
export function memorySize(value: unknown): number {
  if (typeof value === "string") return TEXT + Buffer.byteLength(value);
  if (typeof value !== "object" || value === null) return 0;
  if (isNumber(value)) return OBJECT + TEXT + String(value).length;
  let size = OBJECT;
  for (const member of Object.values(value)) size += MEMBER + memorySize(member);
  return size;
}
