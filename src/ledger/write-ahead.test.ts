import { expect, test } from "bun:test";
import { rememberingLog } from "../../test/support/ledger.ts";
import type { WriteAheadRecord, WriteAheadLog } from "./write-ahead.ts";
import { WriteAhead } from "./write-ahead.ts";

/** A disk that can be full. */
class Disk implements WriteAheadLog {
  readonly writes: string[] = [];
  isFull = false;
  size = 0;
  /** Bytes of the segment that isn't written. */
  other = 0;

  append({ text }: WriteAheadRecord): void {
    if (this.isFull) throw new Error("the disk is full");
    this.writes.push(text);
    this.size += text.length;
  }

  turn(): boolean {
    if (this.other > 0) return false;
    [this.size, this.other] = [0, this.size];
    return true;
  }

  release(): void {
    this.other = 0;
  }

  clear(): void {
    [this.size, this.other] = [0, 0];
  }

  close(): void {
    this.clear();
  }
}

const record = (text: string): WriteAheadRecord => ({ numbers: [], text });

function setUp() {
  const disk = new Disk();
  const { log, told } = rememberingLog();
  const clock = { now: 0 };
  return { disk, told, clock, ahead: new WriteAhead(disk, { logger: log, now: () => clock.now }) };
}

test("what is added is written when add returns", () => {
  const { disk, ahead } = setUp();
  ahead.add(record("a\n"));
  expect(disk.writes).toEqual(["a\n"]);
  ahead.add(record("b\n"));
  expect(disk.writes).toEqual(["a\n", "b\n"]);
});

test("a write that fails holds nobody up, is counted and told, and tried again with the next", () => {
  const { disk, ahead, told, clock } = setUp();
  disk.isFull = true;
  ahead.add(record("a\n"));
  expect(ahead).toMatchObject({ isFailing: true, failures: 1 });
  ahead.add(record("b\n"));
  expect(told).toMatchObject([{ level: "error", fields: { error: "the disk is full" } }]);
  disk.isFull = false;
  clock.now = 5;
  ahead.add(record("c\n"));
  expect(disk.writes).toEqual(["a\n", "b\n", "c\n"]);
  expect(ahead).toMatchObject({ isFailing: false, failures: 2 });
  expect(told.at(-1)).toMatchObject({ level: "info", fields: { after_ms: 5 } });
});

test("more than there is room for is left out, and is known to be, until all is stored", () => {
  const { disk, ahead } = setUp();
  disk.isFull = true;
  for (let nth = 0; nth <= 5_000; nth++) ahead.add(record("x"));
  disk.isFull = false;
  ahead.add(record("a\n"));
  expect(disk.writes).toEqual(["a\n"]);
  expect(ahead.isFailing).toBe(true);
  ahead.stored(undefined, 1);
  expect(ahead.isFailing).toBe(false);
});

test("a segment is left when it is large, and emptied when all that was written before is stored", () => {
  const { disk, ahead } = setUp();
  ahead.add(record("x".repeat(1_100_000)));
  // Page 1 is stored; what was written since is in pages up to 3.
  ahead.stored(1, 3);
  expect([disk.size, disk.other]).toEqual([0, 1_100_000]);
  ahead.add(record("y".repeat(1_200_000)));
  ahead.stored(2, 4);
  expect([disk.size, disk.other]).toEqual([1_200_000, 1_100_000]);
  ahead.stored(3, 5);
  expect([disk.size, disk.other]).toEqual([0, 1_200_000]);
  ahead.stored(4, 5);
  expect(disk.other).toBe(1_200_000);
  ahead.stored(undefined, 5);
  expect([disk.size, disk.other]).toEqual([0, 0]);
});
