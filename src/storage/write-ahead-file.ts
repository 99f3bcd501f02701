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
import type { WriteAheadRecord, WriteAheadLog } from "../ledger/write-ahead.ts";
import { StartupError } from "../errors/startup-error.ts";

/** How a segment begins: what it is, and the version of its format. */
const HEADER = Buffer.from("modelyard write-ahead 2\n");
/** How a segment of any version begins. */
const ANY_VERSION = /^modelyard write-ahead [0-9]+\n/u;
/**
 * Of a frame: the length of what follows the head in bytes, its CRC-32, and how many numbers it begins with, which a text
 * follows. All of it is little-endian.
 */
const FRAME_HEAD = 12;
/** The checksum counts from here on. */
const CHECKED = 8;
const NUMBER_LENGTH = 8;
/** Stands where the next frame's length will be. Not zero: what is nothing but zeros was lost in a power failure. */
const END = 0xffff_ffff;
const END_LENGTH = 4;
/** A segment is as large as this at first, and grows by it. */
const STEP = 1024 * 1024;
/** A segment that has grown to this takes nothing more: what is in it can't be got rid of. */
const LARGEST_SEGMENT = 64 * 1024 * 1024;
const SEGMENTS = ["a", "b"] as const;

type Segment = (typeof SEGMENTS)[number];

/**
 * Records that survive the death of the process, though not that of the machine. Each is appended to a file as a frame
 * with length and checksum. There are two segments, of which one is written: when all that was written before is safe
 * elsewhere, the other one is emptied. The files are readable by their owner only.
 */
export class WriteAheadFile implements WriteAheadLog {
  readonly #base: string;
  readonly #files: Record<Segment, MappedSegment>;
  #current: Segment = "a";

  /** Makes empty segments at `base`. Throws when they can't be made. */
  constructor(base: string) {
    this.#base = base;
    this.#files = { a: new MappedSegment(fileOf(base, "a")), b: new MappedSegment(fileOf(base, "b")) };
  }

  get size(): number {
    return this.#files[this.#current].size;
  }

  append(record: WriteAheadRecord): void {
    this.#files[this.#current].append(record);
  }

  turn(): boolean {
    const other = otherThan(this.#current);
    if (this.#files[other].size > 0) return false;
    this.#current = other;
    return true;
  }

  release(): void {
    this.#files[otherThan(this.#current)].clear();
  }

  clear(): void {
    for (const segment of SEGMENTS) this.#files[segment].clear();
  }

  close({ keep }: { readonly keep: boolean }): void {
    for (const segment of SEGMENTS) this.#files[segment].close();
    if (!keep) removeWriteAhead(this.#base);
  }
}

/**
 * A file in memory: what is written there outlives the process without a system call, which would cost more than all
 * else that is done for a frame, and so that nobody has to wait for it. Its blocks are taken from the disk before they
 * are written to: a write into a hole of a full disk would kill the process. SQLite does the same with its `-shm` file.
 */
class MappedSegment {
  readonly #path: string;
  readonly #file: number;
  #bytes: Buffer<ArrayBuffer>;
  #view: DataView<ArrayBuffer>;
  #at = HEADER.length;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, "ax", 0o600);
    const first = Buffer.alloc(STEP);
    HEADER.copy(first);
    first.writeUInt32LE(END, HEADER.length);
    this.#extend(first, 0);
    [this.#bytes, this.#view] = mapped(path);
  }

  /** Of its frames, in bytes. */
  get size(): number {
    return this.#at - HEADER.length;
  }

  append({ numbers, text }: WriteAheadRecord): void {
    const at = this.#at;
    let to = at + FRAME_HEAD;
    // In UTF-8 no unit of UTF-16 takes more than 3 bytes.
    const most = to + numbers.length * NUMBER_LENGTH + text.length * 3 + END_LENGTH;
    if (most > this.#bytes.length) this.#grow(most);
    const [bytes, view] = [this.#bytes, this.#view];
    view.setUint32(at + CHECKED, numbers.length, true);
    for (const number of numbers) {
      view.setFloat64(to, number, true);
      to += NUMBER_LENGTH;
    }
    const end = to + bytes.write(text, to);
    view.setUint32(end, END, true);
    view.setUint32(at + 4, Bun.hash.crc32(bytes.subarray(at + CHECKED, end)), true);
    // Last, and at once: until now the file ends before this frame.
    view.setUint32(at, end - at - FRAME_HEAD, true);
    this.#at = end;
  }

  clear(): void {
    if (this.size === 0) return;
    this.#view.setUint32(HEADER.length, END, true);
    this.#at = HEADER.length;
    if (this.#bytes.length === STEP) return;
    ftruncateSync(this.#file, STEP);
    // What was behind it must not be touched any more.
    this.#bytes = this.#bytes.subarray(0, STEP);
  }

  close(): void {
    closeSync(this.#file);
  }

  #grow(least: number): void {
    const { length } = this.#bytes;
    const size = Math.ceil(least / STEP) * STEP;
    if (size > LARGEST_SEGMENT) throw new Error("the write-ahead file has reached its largest size");
    this.#extend(Buffer.alloc(size - length), length);
    [this.#bytes, this.#view] = mapped(this.#path);
  }

  #extend(bytes: Buffer, size: number): void {
    if (writeSync(this.#file, bytes) === bytes.length) return;
    ftruncateSync(this.#file, size);
    throw new Error("the disk is full");
  }
}

function mapped(path: string): [Buffer<ArrayBuffer>, DataView<ArrayBuffer>] {
  const { buffer, byteOffset, byteLength } = Bun.mmap(path, { shared: true });
  return [Buffer.from(buffer, byteOffset, byteLength), new DataView(buffer, byteOffset, byteLength)];
}

/** Whether somebody has left a write-ahead file at `base`. */
export function hasWriteAhead(base: string): boolean {
  return SEGMENTS.some((segment) => existsSync(fileOf(base, segment)));
}

/** What a write-ahead file holds that somebody has left. */
export interface LeftRecords {
  readonly records: readonly WriteAheadRecord[];
  /** The segments of which not everything can be read: written in part, or damaged since. */
  readonly damaged: readonly string[];
}

/** Reads a write-ahead file that somebody has left. Throws a StartupError where it is of another version. */
export function readWriteAhead(base: string): LeftRecords {
  const records: WriteAheadRecord[] = [];
  const damaged: string[] = [];
  for (const segment of SEGMENTS) {
    const file = fileOf(base, segment);
    if (existsSync(file) && !readFrames(readFileSync(file), file, records)) damaged.push(file);
  }
  return { records, damaged };
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

/** Adds the records of a segment to `records`. False: there is more in it than could be read. */
function readFrames(bytes: Buffer, file: string, records: WriteAheadRecord[]): boolean {
  if (bytes.length === 0) return true;
  if (!bytes.subarray(0, HEADER.length).equals(HEADER)) {
    if (!ANY_VERSION.test(bytes.toString("latin1", 0, 64))) return false;
    throw new StartupError(
      `${file} was written by another version of Modelyard; start that once, or move the file away`,
    );
  }
  let isWhole = true;
  let at = HEADER.length;
  while (at + FRAME_HEAD < bytes.length) {
    const from = at + FRAME_HEAD;
    const length = bytes.readUInt32LE(at);
    if (length === END) return isWhole;
    // No record is empty.
    if (length === 0 || from + length > bytes.length) return false;
    const end = from + length;
    // Behind a frame with other bytes than were written there may be good ones.
    if (Bun.hash.crc32(bytes.subarray(at + CHECKED, end)) === bytes.readUInt32LE(at + 4))
      records.push(recordIn(bytes.subarray(at + CHECKED, end)));
    else isWhole = false;
    at = end;
  }
  return isWhole && at === bytes.length;
}

function recordIn(checked: Buffer): WriteAheadRecord {
  const from = FRAME_HEAD - CHECKED;
  const text = from + checked.readUInt32LE(0) * NUMBER_LENGTH;
  const numbers: number[] = [];
  for (let at = from; at < text; at += NUMBER_LENGTH) numbers.push(checked.readDoubleLE(at));
  return { numbers, text: checked.toString("utf8", text) };
}

function fileOf(base: string, segment: Segment): string {
  return `${base}-${segment}`;
}

function otherThan(segment: Segment): Segment {
  return segment === "a" ? "b" : "a";
}
