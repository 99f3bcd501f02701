import { isNumber } from "../contract/index.ts";

/** What an object or array costs by itself, and each of its members beside its value, in bytes. */
const OBJECT = 48;
const MEMBER = 16;
const TEXT = 24;

/**
 * About how many bytes a value takes in memory: enough to keep a bound by it. Texts count by their UTF-8 length;
 * the names of members are shared by all objects of their kind and count nothing.
 */
export function memorySize(value: unknown): number {
  if (typeof value === "string") return TEXT + Buffer.byteLength(value);
  if (typeof value !== "object" || value === null) return 0;
  if (isNumber(value)) return OBJECT + TEXT + String(value).length;
  let size = OBJECT;
  for (const member of Object.values(value)) size += MEMBER + memorySize(member);
  return size;
}
