import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WriteAheadRecord } from "../ledger/write-ahead.ts";
import { StartupError } from "../errors/startup-error.ts";
import { hasWriteAhead, readWriteAhead, removeWriteAhead, WriteAheadFile } from "./write-ahead-file.ts";

let folder = "";
let base = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "modelyard-ahead-"));
  base = join(folder, "x.db-ahead-1");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const recordOf = (text: string): WriteAheadRecord => ({ numbers: [text.length, NaN, -0.5], text });
const recordsOf = (texts: readonly string[]) => texts.map(recordOf);
const left = () => readWriteAhead(base).records;

test("records are read as they were written, whatever they hold, by their owner only", () => {
  const texts = ["one\n", "Łódź \u{1F600}\n", "x".repeat(200_000)];
  const file = new WriteAheadFile(base);
  for (const text of texts) file.append(recordOf(text));
  expect(left()).toEqual(recordsOf(texts));
  expect(hasWriteAhead(base)).toBe(true);
  for (const segment of ["a", "b"]) expect(statSync(`${base}-${segment}`).mode & 0o777).toBe(0o600);
  file.close({ keep: true });
  expect(left()).toEqual(recordsOf(texts));
  removeWriteAhead(base);
  expect([hasWriteAhead(base), left()]).toEqual([false, []]);
});

test("wherever a file is torn, what was written before is read, and nothing else", () => {
  const file = new WriteAheadFile(base);
  for (const text of ["first\n", "second\n", "third\n"]) file.append(recordOf(text));
  file.close({ keep: true });
  const written = readFileSync(`${base}-a`).lastIndexOf("\n") + 1;
  const seen = new Set<number>();
  for (let length = written; length >= 0; length--) {
    truncateSync(`${base}-a`, length);
    const read = left();
    expect(read).toEqual(recordsOf(["first\n", "second\n", "third\n"]).slice(0, read.length));
    seen.add(read.length);
  }
  expect([...seen]).toEqual([3, 2, 1, 0]);
});

test("a frame whose bytes have changed is no frame", () => {
  const file = new WriteAheadFile(base);
  for (const text of ["first\n", "second\n"]) file.append(recordOf(text));
  file.close({ keep: true });
  const whole = readFileSync(`${base}-a`);
  const written = whole.lastIndexOf("\n") + 1;
  for (const at of [1, 3, 8]) {
    const changed = Uint8Array.from(whole);
    const place = written - at;
    changed[place] = (changed[place] ?? 0) ^ 0x20;
    writeFileSync(`${base}-a`, changed);
    expect(left()).toEqual(recordsOf(["first\n"]));
  }
  // The pages behind were lost.
  writeFileSync(`${base}-a`, Buffer.concat([whole.subarray(0, written), Buffer.alloc(4_096)]));
  expect(readWriteAhead(base)).toEqual({
    records: recordsOf(["first\n", "second\n"]),
    damaged: [`${base}-a`],
  });
});

test("a segment that was left stays until it is released", () => {
  const file = new WriteAheadFile(base);
  file.append(recordOf("old\n"));
  expect(file.turn()).toBe(true);
  expect(file.size).toBe(0);
  file.append(recordOf("new\n"));
  expect(file.turn()).toBe(false);
  expect(left()).toEqual(recordsOf(["old\n", "new\n"]));
  file.release();
  expect(left()).toEqual(recordsOf(["new\n"]));
  file.clear();
  file.append(recordOf("last\n"));
  expect(left()).toEqual(recordsOf(["last\n"]));
  file.close({ keep: false });
  expect(hasWriteAhead(base)).toBe(false);
});

test("a segment grows by what is in it, and is small again when it is emptied", () => {
  const file = new WriteAheadFile(base);
  const sizeOf = () => statSync(`${base}-a`).size;
  const small = sizeOf();
  const texts = Array.from({ length: 30 }, (_, nth) => `${nth} ${"x".repeat(100_000)}\n`);
  for (const text of texts) file.append(recordOf(text));
  expect(sizeOf()).toBe(4 * small);
  expect(left()).toEqual(recordsOf(texts));
  file.clear();
  expect([sizeOf(), left()]).toEqual([small, []]);
  for (const text of texts) file.append(recordOf(text));
  expect(left()).toEqual(recordsOf(texts));
  file.close({ keep: false });
});

test("a file of another version isn't taken for an empty one", () => {
  writeFileSync(`${base}-a`, "modelyard write-ahead 9\nwhatever");
  expect(() => readWriteAhead(base)).toThrow(StartupError);
});

test("what is damaged in the middle, or from its beginning, is said, and hides nothing that can be read", () => {
  const file = new WriteAheadFile(base);
  for (const text of ["first\n", "second\n", "third\n"]) file.append(recordOf(text));
  file.close({ keep: true });
  const whole = readFileSync(`${base}-a`);
  const damaged = [`${base}-a`];
  const changed = Buffer.from(whole);
  changed[whole.indexOf("second")] = 0;
  writeFileSync(`${base}-a`, changed);
  expect(readWriteAhead(base)).toEqual({ records: recordsOf(["first\n", "third\n"]), damaged });
  for (const other of [Buffer.alloc(4_096), Buffer.from("modelyard\n"), Buffer.alloc(9_000, 0xff)]) {
    writeFileSync(`${base}-a`, other);
    expect(readWriteAhead(base)).toEqual({ records: [], damaged });
  }
  writeFileSync(`${base}-a`, whole);
  expect(readWriteAhead(base).damaged).toEqual([]);
});
