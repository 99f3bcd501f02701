import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { RawConnection, rawFetch, rawHead } from "../support/raw-http.ts";
import { parseFrames, textOf } from "../support/sse-frames.ts";
import { until } from "../support/until.ts";
import {
  bodyFor,
  chat,
  expectUnharmed,
  got,
  MIB,
  posted,
  startWireGateway,
} from "../support/wire-gateway.ts";

/**
 * Connections written by hand: kept alive, pipelined, half closed, reset, and HEAD.
 * @module
 */
const gateway = await startWireGateway();
afterEach(() => expectUnharmed(gateway));
afterAll(() => gateway[Symbol.asyncDispose]());

/** The next answer's status, or that the connection was closed; rejects when neither comes. */
async function statusOrEnd(connection: RawConnection): Promise<number | "closed"> {
  try {
    return (await connection.response()).status;
  } catch {
    await connection.closed();
    return "closed";
  }
}

describe("connections", () => {
  test("one connection serves request after request, of all kinds", async () => {
    using connection = await RawConnection.open(gateway.url);
    const requests = [
      chat("hello"),
      chat("hello", { stream: true }),
      got("/v1/models"),
      chat("nobody"),
      posted("{"),
      got("/nowhere"),
      chat("hello", { stream: true }),
      got("/health"),
    ];
    const statuses: number[] = [];
    for (const request of requests) {
      await connection.write(rawHead(request));
      if (request.body) await connection.write(request.body);
      statuses.push((await connection.response()).status);
    }
    expect(statuses).toEqual([200, 200, 200, 404, 400, 404, 200, 200]);
  });

  test("a stream on the wire is whole, and the connection can be used again after [DONE]", async () => {
    using connection = await RawConnection.open(gateway.url);
    for (let round = 0; round < 3; round++) {
      const request = chat("hello", { stream: true });
      await connection.write(rawHead(request) + String(request.body));
      const { headers, body } = await connection.response();
      expect(headers.get("transfer-encoding")).toBe("chunked");
      const frames = parseFrames(body);
      expect(textOf(frames)).toBe("Hello, world");
      expect(frames.data.at(-1)).toBe("[DONE]");
    }
  });

  test("pipelined requests are answered or the connection is closed", async () => {
    for (const requests of [
      [got("/health"), got("/v1/models"), got("/health/live")],
      [chat("hello"), chat("hello"), got("/health")],
      [chat("hello", { stream: true }), chat("hello")],
    ]) {
      using connection = await RawConnection.open(gateway.url);
      const wire = requests.map((request) => rawHead(request) + String(request.body ?? "")).join("");
      await connection.write(wire);
      for (const _ of requests) expect(await statusOrEnd(connection)).toBeOneOf([200, "closed"]);
      await gateway.quiet();
    }
  });

  test("HTTP/1.0 and `connection: close` end the connection after the answer", async () => {
    for (const stream of [false, true]) {
      const closing = posted(bodyFor("hello", { stream }), { connection: "close" });
      for (const head of [rawHead(closing), rawHead(closing).replace("HTTP/1.1", "HTTP/1.0")]) {
        using connection = await RawConnection.open(gateway.url);
        await connection.write(head + String(closing.body));
        await connection.closed();
        expect(connection.unread).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
        expect(connection.unread).toContain(stream ? "[DONE]" : '"Hello, world"');
      }
    }
  });

  test("an answer that is given before the body is read leaves the connection usable, or closes it", async () => {
    const body = " ".repeat(5 * MIB);
    for (const [request, status] of [
      [posted(body, { authorization: "Bearer sk-wrong" }), 401],
      [posted(body, { "content-type": "text/plain" }), 415],
      [{ ...posted(body), path: "/nowhere" }, 404],
      [{ ...posted(body), path: "/v1/models" }, 405],
    ] as const) {
      using connection = await RawConnection.open(gateway.url);
      await connection.write(rawHead(request));
      await connection.write(body);
      expect((await connection.response()).status).toBe(status);
      await connection.write(rawHead(got("/v1/models")));
      expect(await statusOrEnd(connection)).toBeOneOf([200, "closed"]);
    }
  });

  test("a client that is reset in mid-stream, or closes its half, ends the upstream's work", async () => {
    for (const leave of ["reset", "halfClose"] as const) {
      using connection = await RawConnection.open(gateway.url);
      const before = gateway.status().begun;
      const request = chat("falls-silent", { stream: true });
      await connection.write(rawHead(request) + String(request.body));
      await until(() => gateway.status().begun > before, "the upstream's work to begin");
      connection[leave]();
      const left = performance.now();
      await gateway.quiet();
      expect(performance.now() - left).toBeLessThan(200);
    }
  });
});

describe("HEAD", () => {
  test.each([
    "/",
    "/health",
    "/health/live",
    "/health/ready",
    "/v1/models",
    "/v1/models/vendor/family/model",
  ])("%s has GET's status and no body", async (path) => {
    using connection = await RawConnection.open(gateway.url);
    await connection.write(rawHead({ ...got(path), method: "HEAD" }));
    const head = await connection.response({ head: true });
    // What follows on the same connection shows that no body was sent.
    await connection.write(rawHead(got(path)));
    const whole = await connection.response();
    expect(head.status).toBe(200);
    expect(whole.status).toBe(200);
    expect(head.headers.get("content-type")).toBe(whole.headers.get("content-type"));
  });

  test("at an address that only takes POST it is a 405", async () => {
    const answer = await rawFetch(gateway.url, { ...got("/v1/chat/completions"), method: "HEAD" });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("POST");
  });
});
