import { expect, test } from "bun:test";
import { ReusableDeferred } from "../reusable-deferred.ts";
import { Exchange } from "./exchange.ts";
import type { ConnectionControl } from "./exchange.ts";

const KIB = 1024;

/** An exchange, what it asked of its connection, and what its reader was given. */
function exchange(): { own: Exchange; said: string[]; given: number[]; read: () => void } {
  const said: string[] = [];
  const line: ConnectionControl = {
    pause: (isBehind) => void said.push(isBehind ? "pause, behind" : "pause"),
    resume: () => void said.push("resume"),
    drop: () => void said.push("drop"),
    flushLater: () => void said.push("later"),
  };
  const own = new Exchange(line, undefined);
  const given: number[] = [];
  const read = (): void => {
    for (;;) {
      const next = own.next();
      if (next instanceof ReusableDeferred)
        return next.wait({ onValue: (piece) => (take(piece), read()), onError: fail });
      take(next);
      if (!next) return;
    }
  };
  const take = (piece: Uint8Array | undefined): void => void given.push(piece?.length ?? 0);
  return { own, said, given, read };
}

function fail(error: unknown): void {
  throw error as Error;
}

test("a reader is given a bounded number of bytes in one turn, in order", () => {
  const { own, said, given, read } = exchange();
  read();
  const bytes = new Uint8Array(70 * KIB).map((_, place) => place % 251);
  own.push(bytes);
  expect(said).toEqual(["pause"]);
  own.flush();
  expect(given).toEqual([32 * KIB]);
  own.flush();
  own.flush();
  expect(given).toEqual([32 * KIB, 32 * KIB, 6 * KIB]);
  expect(said).toEqual(["pause", "later", "later", "resume"]);
});

test("what is little is given at once, head and all", () => {
  const { own, said, given, read } = exchange();
  own.push(new Uint8Array(10));
  own.push(new Uint8Array(20));
  own.end();
  own.flush();
  read();
  expect(given).toEqual([30, 0]);
  expect(said).toEqual([]);
});

test("a connection whose reader doesn't come is held back at once", () => {
  const { own, said } = exchange();
  own.push(new Uint8Array(33 * KIB));
  own.push(new Uint8Array(33 * KIB));
  expect(said).toEqual(["pause, behind"]);
});
