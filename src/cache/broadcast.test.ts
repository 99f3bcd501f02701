import { describe, expect, test } from "bun:test";
import { iterating, nextOf, textIn } from "../../test/support/batches.ts";
import { rejection } from "../../test/support/rejection.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import { Source } from "../../test/support/event-source.ts";
import { ByteBudget } from "../limits/byte-budget.ts";
import type { EventBuffer } from "./event-buffer.ts";
import { Broadcast } from "./broadcast.ts";

const KIB = 1024;
const BIG = 1024 * KIB;

interface Watched {
  readonly source: Source;
  readonly broadcast: Broadcast;
  readonly room: ByteBudget;
  outgrown: number;
  /** What was told at the end; undefined until then. */
  ended: { readonly whole: EventBuffer | undefined } | undefined;
}

function recordingOf(pieces: readonly string[], { maxSize = BIG, room = new ByteBudget(BIG) } = {}): Watched {
  const source = new Source(pieces);
  const watched: Watched = {
    source,
    room,
    outgrown: 0,
    ended: undefined,
    broadcast: new Broadcast(source, {
      room,
      maxSize,
      outgrown: () => (watched.outgrown += 1),
      ended: (whole) => (watched.ended = { whole }),
    }),
  };
  return watched;
}

/** So many pieces of 1 KiB, each of its own letter. */
function pieces(count: number): string[] {
  return Array.from({ length: count }, (_, nth) => String.fromCharCode(97 + (nth % 26)).repeat(KIB));
}

const ignore = () => undefined;

describe("readers of one answer", () => {
  test("all get all of it, whenever they come and whoever reads first", async () => {
    const { source, broadcast } = recordingOf(["a", "b", "c", "d"]);
    const first = broadcast.read(ignore);
    await first.next();
    await first.next();
    const late = broadcast.read(ignore);
    expect(await Promise.all([textIn(first), textIn(late)])).toEqual(["cd", "abcd"]);
    expect(source.reads).toBe(5);
  });

  test("wait together for what comes, and one call gets it for all", async () => {
    const { source, broadcast } = recordingOf(["a"]);
    const readers = [broadcast.read(ignore), broadcast.read(ignore), broadcast.read(ignore)];
    const nexts = readers.map((reader) => reader.next());
    expect(source.reads).toBe(1);
    expect(await Promise.all(nexts)).toEqual(
      nexts.map(() => ({ done: false, value: [{ type: "text", text: "a" }] })),
    );
  });

  test("read on no further than the fastest asks", async () => {
    const { source, broadcast } = recordingOf(pieces(10));
    const fast = broadcast.read(ignore);
    broadcast.read(ignore);
    await fast.next();
    await fast.next();
    expect(source.reads).toBe(2);
  });

  test("are told once that it is over, and whether they left before", async () => {
    const { broadcast } = recordingOf(["a", "b"]);
    const told: boolean[] = [];
    const staying = broadcast.read((left) => told.push(left));
    const leaving = broadcast.read((left) => told.push(left));
    await leaving.return();
    await leaving.return();
    expect(await leaving.next()).toEqual({ done: true, value: undefined });
    await textIn(staying);
    await staying.return();
    expect(told).toEqual([true, false]);
  });

  test("all have what came before a failure, and then the failure", async () => {
    const watched = recordingOf(["a", "b"]);
    const { source, broadcast } = watched;
    source.failure = new Error("broken off");
    const readers = [broadcast.read(ignore), broadcast.read(ignore)];
    await readers[0]?.next();
    const texts: string[] = [];
    for (const reader of readers) {
      let text = "";
      const reading = async () => {
        for await (const [event] of iterating(reader)) text += event?.type === "text" ? event.text : "";
      };
      expect(await rejection(reading(), Error)).toBe(source.failure);
      expect(await rejection(nextOf(reader), Error)).toBe(source.failure);
      texts.push(text);
    }
    expect(texts).toEqual(["b", "ab"]);
    expect(watched.ended).toEqual({ whole: undefined });
  });
});

describe("a reader who leaves", () => {
  test("with a reason has it in place of what it waits for", async () => {
    const { source, broadcast } = recordingOf(["a"]);
    source.hold();
    const [leaver, other] = [broadcast.read(ignore), broadcast.read(ignore)];
    const [wait, otherWait] = [nextOf(leaver), nextOf(other)];
    leaver.leave(new Error("had enough"));
    expect((await rejection(wait, Error)).message).toBe("had enough");
    source.release();
    expect((await otherWait).done).toBe(false);
  });

  test("without one isn't kept waiting", async () => {
    const { source, broadcast } = recordingOf(["a"]);
    source.hold();
    const reader = broadcast.read(ignore);
    const wait = reader.next();
    await reader.return();
    expect(await wait).toEqual({ done: true, value: undefined });
  });

  test("as the last tells the source to return, gives all room back, and nothing more is kept", async () => {
    const { source, broadcast, room } = recordingOf(pieces(10));
    const [one, other] = [broadcast.read(ignore), broadcast.read(ignore)];
    await one.next();
    await one.return();
    expect(source.returned).toBe(false);
    source.hold();
    await other.next();
    const wait = other.next();
    expect(room.used).toBeGreaterThan(KIB);
    await other.return();
    expect(source.returned).toBe(true);
    source.release();
    await wait;
    expect(room.used).toBe(0);
  });
});

describe("an answer within its bound", () => {
  test("is handed over whole, and its room is given back when the slowest has read it", async () => {
    const watched = recordingOf(pieces(10));
    const [fast, slow] = [watched.broadcast.read(ignore), watched.broadcast.read(ignore)];
    expect(await textIn(fast)).toBe(pieces(10).join(""));
    expect(watched.ended?.whole?.size).toBeGreaterThan(10 * KIB);
    expect(watched.room.used).toBe(watched.ended?.whole?.size ?? 0);
    expect(await textIn(slow)).toBe(pieces(10).join(""));
    expect(watched.room.used).toBe(0);
  });
});

describe("an answer beyond its bound", () => {
  test("goes on for its reader, takes no room any more, and isn't handed over", async () => {
    const watched = recordingOf(pieces(100), { maxSize: 10 * KIB });
    expect(await textIn(watched.broadcast.read(ignore))).toBe(pieces(100).join(""));
    expect(watched.outgrown).toBe(1);
    expect(watched.ended).toEqual({ whole: undefined });
    expect(watched.room.used).toBe(0);
  });

  test("keeps no more than the newest for one who keeps up", async () => {
    const watched = recordingOf(pieces(100), { maxSize: 10 * KIB });
    const reader = watched.broadcast.read(ignore);
    for (let nth = 0; nth < 50; nth++) await reader.next();
    expect(watched.broadcast.events.size).toBeLessThan(3 * KIB);
  });

  test("has the same end when no room is left for it", async () => {
    const room = new ByteBudget(10 * KIB);
    const watched = recordingOf(pieces(100), { room });
    expect(await textIn(watched.broadcast.read(ignore))).toBe(pieces(100).join(""));
    expect([watched.outgrown, room.used]).toEqual([1, 0]);
  });

  test("is kept for who lags a little", async () => {
    const watched = recordingOf(pieces(200), { maxSize: 10 * KIB });
    const [fast, slow] = [watched.broadcast.read(ignore), watched.broadcast.read(ignore)];
    expect(await textIn(fast)).toBe(pieces(200).join(""));
    expect(await textIn(slow)).toBe(pieces(200).join(""));
  });

  test("parts with who lags too far, and with nobody else", async () => {
    const watched = recordingOf(pieces(2_000), { maxSize: 10 * KIB });
    const told: boolean[] = [];
    const fast = watched.broadcast.read(ignore);
    const slow = watched.broadcast.read((left) => told.push(left));
    let most = 0;
    let text = "";
    for await (const [event] of iterating(fast)) {
      text += event?.type === "text" ? event.text : "";
      most = Math.max(most, watched.broadcast.events.size);
    }
    expect(text).toBe(pieces(2_000).join(""));
    expect(most).toBeLessThan(300 * KIB);
    expect((await rejection(nextOf(slow), GatewayError)).code).toBe("overloaded");
    expect(told).toEqual([true]);
  });

  test("keeps the one who is left when those ahead have gone", async () => {
    const { source, broadcast } = recordingOf(pieces(400), { maxSize: 10 * KIB });
    const [fast, slow] = [broadcast.read(ignore), broadcast.read(ignore)];
    while (broadcast.events.size <= 256 * KIB) await fast.next();
    source.hold();
    const wait = fast.next();
    await fast.return();
    source.release();
    await wait;
    expect(await textIn(slow)).toBe(pieces(400).join(""));
  });
});
