import { MAX_NESTING } from "./nesting.ts";
import { isBeyondNumbers } from "./lossless.ts";

/** A top-level member of a JSON object, by its positions in bytes. */
export interface TopMember {
  readonly name: string;
  /** Where the name's quote is. */
  readonly at: number;
  /** Where its value begins, and ends. */
  readonly from: number;
  readonly to: number;
}

/** The findings of one pass over a JSON text; arbitrary for a text that is no JSON. */
export interface TopLevel {
  /** The members of an object, in the order of the text; empty for any other value. */
  readonly members: readonly TopMember[];
  /** The first name that occurs twice, its escapes resolved. */
  readonly doubled: string | undefined;
  /** True if there are more levels than `MAX_NESTING`; nothing else is set then. */
  readonly isTooDeep: boolean;
  /** True if there are numbers, at any level, that JavaScript can't hold. */
  readonly hasLongNumbers: boolean;
}

/**
 * Finds the members at the top of a JSON text that has this many bytes in UTF-8. It looks through the text, not the bytes:
 * the engine finds a quote in a text in a third of the time.
 */
export function scanTopLevel(text: string, byteLength: number): TopLevel {
  const seen: Seen = { isTooDeep: false, hasLongNumbers: false };
  const found: TopMember[] = [];
  const at = afterBlanks(text, 0);
  if (text.charCodeAt(at) === OBJECT) addMembers(found, { text, at: at + 1, seen });
  else afterValue(text, at, seen);
  const members = text.length === byteLength ? found : placedInBytes(found, text);
  return { members, doubled: doubledIn(members), ...seen };
}

function placedInBytes(members: readonly TopMember[], text: string): TopMember[] {
  let [units, bytes] = [0, 0];
  const place = (at: number): number => {
    bytes += Buffer.byteLength(text.slice(units, at));
    units = at;
    return bytes;
  };
  return members.map(({ name, at, from, to }) => ({ name, at: place(at), from: place(from), to: place(to) }));
}

interface Seen {
  isTooDeep: boolean;
  hasLongNumbers: boolean;
}

interface Place {
  readonly text: string;
  readonly at: number;
  readonly seen: Seen;
}

/** Stops at invalid JSON: the parser will report it. */
function addMembers(members: TopMember[], { text, at: start, seen }: Place): void {
  for (let next = start; ;) {
    const at = afterBlanks(text, next);
    if (text.charCodeAt(at) !== QUOTE) return;
    const end = afterString(text, at);
    const name = nameIn(text.slice(at, end));
    const colon = afterBlanks(text, end);
    if (name === undefined || text.charCodeAt(colon) !== COLON) return;
    const from = afterBlanks(text, colon + 1);
    const to = afterValue(text, from, seen);
    members.push({ name, at, from, to });
    next = afterBlanks(text, to);
    if (seen.isTooDeep || text.charCodeAt(next) !== COMMA) return;
    next += 1;
  }
}

/** Parsed even where it has no escapes: a part of the text would keep all of it in memory. */
function nameIn(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string;
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

function afterBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text.charCodeAt(at))) at += 1;
  return at;
}

/** Returns the end of the value that begins here, at the top level or as a member of it. */
function afterValue(text: string, from: number, seen: Seen): number {
  const { length } = text;
  let depth = 0;
  for (let at = from; at < length;) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) at = afterString(text, at);
    else if (unit === OBJECT || unit === LIST) {
      at += 1;
      depth += 1;
      seen.isTooDeep ||= depth >= MAX_NESTING;
      continue;
    } else if (unit === OBJECT_END || unit === LIST_END) {
      if (depth === 0) return at;
      at += 1;
      depth -= 1;
    } else if (unit === MINUS || isDigit(unit)) at = afterNumber(text, at, seen);
    else {
      if (depth === 0 && (unit === COMMA || isBlank(unit))) return at;
      at += 1;
      continue;
    }
    if (depth === 0) return at;
  }
  return length;
}

function afterNumber(text: string, from: number, seen: Seen): number {
  let at = from + 1;
  let hasExponent = false;
  for (; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === SMALL_E || unit === LARGE_E) hasExponent = true;
    else if (!isDigit(unit) && unit !== POINT && unit !== MINUS && unit !== PLUS) break;
  }
  if (hasExponent || at - from >= SAFE_DIGITS) {
    const source = text.slice(from, at);
    seen.hasLongNumbers ||= isBeyondNumbers(Number(source), source);
  }
  return at;
}

/** Returns the end of the string whose first quote is here. */
function afterString(text: string, from: number): number {
  for (let at = from + 1; ;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return text.length;
    let escapes = 0;
    while (quote - escapes > at && text.charCodeAt(quote - 1 - escapes) === BACKSLASH) escapes += 1;
    at = quote + 1;
    if (escapes % 2 === 0) return at;
  }
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39;
}

/** Numbers of fewer characters, sign and point included, are held. */
const SAFE_DIGITS = 16;
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
