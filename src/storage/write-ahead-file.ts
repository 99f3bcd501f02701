import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import type { AheadLog } from "../ledger/write-ahead.ts";
import { StartupError } from "../errors/startup-error.ts";

/** How a segment begins: what it is, and the version of its format. */
const HEADER = Buffer.from("modelyard write-ahead 1\n");
/** How a segment of any version begins. */
const ANY_VERSION = /^modelyard write-ahead [0-9]+\n/u;
/** Of a frame: the length of its text in bytes, and the text's CRC-32; both little-endian. */
const FRAME_HEAD = 8;
const FIRST_ROOM = 64 * 1024;
/** A segment that has grown to this takes nothing more: what is in it can't be got rid of. */
const LARGEST_SEGMENT = 64 * 1024 * 1024;
const SEGMENTS = ["a", "b"] as const;

type Segment = (typeof SEGMENTS)[number];

/**
 * Texts that survive the death of the process, though not that of the machine: each is appended to a file in one write,
 * as a frame with length and checksum. There are two segments, of which one is written: when all that was written before
 * is safe elsewhere, the other one is emptied. The files are readable by their owner only.
 */
export class WriteAheadFile implements AheadLog {
  readonly #base: string;
  readonly #files: Record<Segment, number>;
  readonly #sizes: Record<Segment, number> = { a: 0, b: 0 };
  #current: Segment = "a";
  #frame = Buffer.allocUnsafe(FIRST_ROOM);

  /** Makes empty segments at `base`. Throws when they can't be made. */
  constructor(base: string) {
    this.#base = base;
    this.#files = { a: openSegment(base, "a"), b: openSegment(base, "b") };
  }

  get size(): number {
    return this.#sizes[this.#current];
  }

  append(text: string): void {
    const file = this.#files[this.#current];
    const before = this.#sizes[this.#current];
    const length = this.#fill(text, before === 0);
    if (before + length > LARGEST_SEGMENT)
      throw new Error("the write-ahead file has reached its largest size");
    const written = writeSync(file, this.#frame, 0, length);
    if (written < length) {
      // Half a frame would hide those behind it.
      ftruncateSync(file, before);
      throw new Error("the disk is full");
    }
    this.#sizes[this.#current] = before + length;
  }

  turn(): boolean {
    const other = otherThan(this.#current);
    if (this.#sizes[other] > 0) return false;
    this.#current = other;
    return true;
  }

  release(): void {
    this.#empty(otherThan(this.#current));
  }

  clear(): void {
    for (const segment of SEGMENTS) this.#empty(segment);
  }

  close({ keep }: { readonly keep: boolean }): void {
    for (const segment of SEGMENTS) closeSync(this.#files[segment]);
    if (!keep) removeWriteAhead(this.#base);
  }

  /** Puts the text's frame into the buffer, behind the header where it `isFirst`, and returns the length of both. */
  #fill(text: string, isFirst: boolean): number {
    const start = isFirst ? HEADER.length : 0;
    // In UTF-8 no unit of UTF-16 takes more than 3 bytes.
    const room = start + FRAME_HEAD + text.length * 3;
    if (this.#frame.length < room) this.#frame = Buffer.allocUnsafe(room);
    const frame = this.#frame;
    if (isFirst) HEADER.copy(frame);
    const from = start + FRAME_HEAD;
    const length = frame.write(text, from);
    frame.writeUInt32LE(length, start);
    frame.writeUInt32LE(Bun.hash.crc32(frame.subarray(from, from + length)), start + 4);
    return from + length;
  }

  #empty(segment: Segment): void {
    if (this.#sizes[segment] === 0) return;
    ftruncateSync(this.#files[segment], 0);
    this.#sizes[segment] = 0;
  }
}

/** Whether somebody has left a write-ahead file at `base`. */
export function hasWriteAhead(base: string): boolean {
  return SEGMENTS.some((segment) => existsSync(fileOf(base, segment)));
}

/** What a write-ahead file holds that somebody has left. */
export interface LeftTexts {
  readonly texts: readonly string[];
  /** The segments of which not everything can be read: written in part, or damaged since. */
  readonly damaged: readonly string[];
}

/** Reads a write-ahead file that somebody has left. Throws a StartupError where it is of a later version. */
export function readWriteAhead(base: string): LeftTexts {
  const texts: string[] = [];
  const damaged: string[] = [];
  for (const segment of SEGMENTS) {
    const file = fileOf(base, segment);
    if (existsSync(file) && !readFrames(readFileSync(file), file, texts)) damaged.push(file);
  }
  return { texts, damaged };
}

/** Renames a damaged segment, so that somebody may look into it, and gives its new name. */
export function setAside(segment: string): string {
  const name = `${segment}.damaged`;
  renameSync(segment, name);
  return name;
}

export function removeWriteAhead(base: string): void {
  for (const segment of SEGMENTS) rmSync(fileOf(base, segment), { force: true });
}

/** Adds the texts of a segment to `texts`. False: there is more in it than could be read. */
function readFrames(bytes: Buffer, file: string, texts: string[]): boolean {
  if (bytes.length === 0) return true;
  if (!bytes.subarray(0, HEADER.length).equals(HEADER)) {
    if (!ANY_VERSION.test(bytes.toString("latin1", 0, 64))) return false;
    throw new StartupError(`${file} was written by a newer Modelyard; use that, or move the file away`);
  }
  let isWhole = true;
  let at = HEADER.length;
  while (at + FRAME_HEAD < bytes.length) {
    const from = at + FRAME_HEAD;
    const length = bytes.readUInt32LE(at);
    // No text is empty: what is nothing but zeros was lost in a power failure.
    if (length === 0 || from + length > bytes.length) return false;
    const text = bytes.subarray(from, from + length);
    // Behind a frame with other bytes than were written there may be good ones.
    if (Bun.hash.crc32(text) === bytes.readUInt32LE(at + 4)) texts.push(text.toString());
    else isWhole = false;
    at = from + length;
  }
  return isWhole && at === bytes.length;
}

function openSegment(base: string, segment: Segment): number {
  return openSync(fileOf(base, segment), "ax", 0o600);
}

function fileOf(base: string, segment: Segment): string {
  return `${base}-${segment}`;
}

function otherThan(segment: Segment): Segment {
  return segment === "a" ? "b" : "a";
}
