import { describe, expect, test } from "bun:test";
import { cutAt, outcomeOf, streamOf } from "../../../test/support/pieces.ts";
import { rawServer, silentServer } from "../../../test/support/silent-server.ts";
import { UpstreamError } from "../../contract/index.ts";
import { sse } from "./sse.ts";

const bytes = new TextEncoder().encode("data: a\n\ndata: b\n\ndata: c");

async function dataOf(...[stream, options]: Parameters<typeof sse>): Promise<string[]> {
  return (await outcomeOf(sse(stream, options))).items.map((event) => event.data);
}

async function bodyOf(url: string, init?: RequestInit): Promise<ReadableStream<Uint8Array>> {
  const { body } = await fetch(url, init);
  if (!body) throw new Error("an answer without a body");
  return body;
}

describe("sse", () => {
  test("gives the events of a body, and drops one that is not finished", async () => {
    expect(await dataOf(streamOf(cutAt(bytes, [3, 4, 12])))).toEqual(["a", "b"]);
  });

  test("gives the last event without its blank line if told so", async () => {
    expect(await dataOf(streamOf([bytes]), { unfinishedEvent: true })).toEqual(["a", "b", "c"]);
  });

  test("bounds an event", async () => {
    const { items, error } = await outcomeOf(sse(streamOf([bytes, bytes]), { maxEventBytes: 9 }));
    expect(items.map((event) => event.data)).toEqual(["a", "b"]);
    expect(error).toMatchObject({ code: "bad-response" });
  });

  test("cancels the body when its consumer leaves the loop", async () => {
    await using server = silentServer("data: a\n\ndata: b\n\n");
    for await (const event of sse(await bodyOf(server.url))) {
      expect(event.data).toBe("a");
      break;
    }
    await server.gone;
  });

  test("cancels the body when its consumer leaves while the next event is awaited", async () => {
    await using server = silentServer("data: a\n\n");
    const events = sse(await bodyOf(server.url), { unfinishedEvent: true });
    await events.next();
    const waiting = events.next();
    await events.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
    await server.gone;
  });

  test("cancels the body when its consumer leaves before it began", async () => {
    await using server = silentServer("data: a\n\n");
    await sse(await bodyOf(server.url)).return?.();
    await server.gone;
  });

  test("cancels the body when an event is too large", async () => {
    await using server = silentServer(`data: ${"x".repeat(1000)}`);
    const { error } = await outcomeOf(sse(await bodyOf(server.url), { maxEventBytes: 100 }));
    expect(error).toMatchObject({ code: "bad-response" });
    await server.gone;
  });

  test.each(["close", "reset"] as const)(
    "says that a body is truncated by the connection's %s",
    async (end) => {
      using server = rawServer("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ndata: a\n\n", "keep");
      const events = sse(await bodyOf(server.url));
      expect((await events.next()).value).toMatchObject({ data: "a" });
      if (end === "close") server.breakOff();
      else server.reset();
      await expect(events.next()).rejects.toMatchObject({
        code: "truncated",
        message: "the upstream's answer broke off before its end (ECONNRESET)",
      });
    },
  );

  test("takes a deadline's error for the reason that it is, though it has a code", async () => {
    await using server = silentServer("data: a\n\n");
    const controller = new AbortController();
    const events = sse(await bodyOf(server.url, { signal: controller.signal }));
    await events.next();
    const deadline = new UpstreamError("timeout", "too late");
    controller.abort(deadline);
    await expect(events.next()).rejects.toBe(deadline);
    await server.gone;
  });

  test("gives no event of an answer without a body", async () => {
    expect(await dataOf(null)).toEqual([]);
  });

  test("rejects with the reason of an aborted fetch", async () => {
    await using server = silentServer("data: a\n\n");
    const controller = new AbortController();
    const events = sse(await bodyOf(server.url, { signal: controller.signal }));
    await events.next();
    const waiting = events.next();
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await server.gone;
  });
});
