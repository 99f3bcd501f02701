import { MAX_NESTING } from "./nesting.ts";
import { isBeyondNumbers } from "./lossless.ts";

/** A member at the top of a JSON object, by its places among the text's bytes. */
export interface TopMember {
  readonly name: string;
  /** Where the name's quote is. */
  readonly at: number;
  /** Where its value begins, and ends. */
  readonly from: number;
  readonly to: number;
}

/** What one pass over the bytes of a JSON text tells. Of a text that is no JSON it says anything. */
export interface TopLevel {
  /** Of an object, in the order of the text; none of anything else. */
  readonly members: readonly TopMember[];
  /** The first name that stands there twice, after its escapes are resolved. */
  readonly doubled: string | undefined;
  /** Whether there are more levels than `MAX_NESTING`; then nothing else is told. */
  readonly isTooDeep: boolean;
  /** Whether there are numbers, at any level, that JavaScript can't hold. */
  readonly hasLongNumbers: boolean;
}

/** Finds the members at the top of a JSON text in UTF-8, without a byte order mark. */
export function scanTopLevel(bytes: Uint8Array): TopLevel {
  const seen: Seen = { isTooDeep: false, hasLongNumbers: false };
  const members: TopMember[] = [];
  const at = afterBlanks(bytes, 0);
  if (bytes[at] === OBJECT) addMembers(members, { bytes, at: at + 1, seen });
  else afterValue(bytes, at, seen);
  return { members, doubled: doubledIn(members), ...seen };
}

interface Seen {
  isTooDeep: boolean;
  hasLongNumbers: boolean;
}

interface Place {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly seen: Seen;
}

/** Stops at what no JSON has there: the parser will say what it is. */
function addMembers(members: TopMember[], { bytes, at: start, seen }: Place): void {
  for (let next = start; ;) {
    const at = afterBlanks(bytes, next);
    if (bytes[at] !== QUOTE) return;
    const end = afterString(bytes, at);
    const name = nameIn(bytes, at + 1, end - 1);
    const colon = afterBlanks(bytes, end);
    if (name === undefined || bytes[colon] !== COLON) return;
    const from = afterBlanks(bytes, colon + 1);
    const to = afterValue(bytes, from, seen);
    members.push({ name, at, from, to });
    next = afterBlanks(bytes, to);
    if (seen.isTooDeep || bytes[next] !== COMMA) return;
    next += 1;
  }
}

// A mark in a name is a letter of it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function nameIn(bytes: Uint8Array, from: number, to: number): string | undefined {
  const name = decoder.decode(bytes.subarray(from, to));
  if (!name.includes("\\")) return name;
  try {
    return JSON.parse(`"${name}"`) as string;
  } catch {
    return undefined;
  }
}

function doubledIn(members: readonly TopMember[]): string | undefined {
  // A set of so few costs more than it spares.
  if (members.length <= FEW)
    return members.find(({ name }, index) => firstNamed(members, name) < index)?.name;
  const names = new Set<string>();
  return members.find(({ name }) => names.size === names.add(name).size)?.name;
}

function firstNamed(members: readonly TopMember[], name: string): number {
  let at = 0;
  while (members[at]?.name !== name) at += 1;
  return at;
}

function afterBlanks(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isBlank(bytes[at])) at += 1;
  return at;
}

/** Where the value ends that begins here, at the top or as a member there. */
function afterValue(bytes: Uint8Array, from: number, seen: Seen): number {
  const { length } = bytes;
  let depth = 0;
  for (let at = from; at < length;) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) at = afterString(bytes, at);
    else if (byte === OBJECT || byte === LIST) {
      at += 1;
      depth += 1;
      seen.isTooDeep ||= depth >= MAX_NESTING;
      continue;
    } else if (byte === OBJECT_END || byte === LIST_END) {
      if (depth === 0) return at;
      at += 1;
      depth -= 1;
    } else if (byte === MINUS || isDigit(byte)) at = afterNumber(bytes, at, seen);
    else {
      if (depth === 0 && (byte === COMMA || isBlank(byte))) return at;
      at += 1;
      continue;
    }
    if (depth === 0) return at;
  }
  return length;
}

function afterNumber(bytes: Uint8Array, from: number, seen: Seen): number {
  let at = from + 1;
  let hasExponent = false;
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === SMALL_E || byte === LARGE_E) hasExponent = true;
    else if (!isDigit(byte) && byte !== POINT && byte !== MINUS && byte !== PLUS) break;
  }
  if (hasExponent || at - from >= SAFE_DIGITS) {
    const source = decoder.decode(bytes.subarray(from, at));
    seen.hasLongNumbers ||= isBeyondNumbers(Number(source), source);
  }
  return at;
}

/** Where the string ends whose first quote is here. */
function afterString(bytes: Uint8Array, from: number): number {
  const { length } = bytes;
  let at = from + 1;
  while (at < length) {
    // Most strings are short, and a call to search takes as long as looking at some dozens of bytes.
    for (const end = Math.min(at + SHORT, length); at < end; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) return at + 1;
      if (byte === BACKSLASH) at += 1;
    }
    const quote = bytes.indexOf(QUOTE, at);
    if (quote < 0) break;
    let escapes = 0;
    while (quote - escapes > at && bytes[quote - 1 - escapes] === BACKSLASH) escapes += 1;
    at = quote + 1;
    if (escapes % 2 === 0) return at;
  }
  return length;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Numbers of fewer characters, sign and point included, are held. */
const SAFE_DIGITS = 16;
const SHORT = 40;
const FEW = 16;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const SMALL_E = 0x65;
const LARGE_E = 0x45;
const LIST = 0x5b;
const LIST_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;
