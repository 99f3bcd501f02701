import { afterAll, afterEach, expect, test } from "bun:test";
import { httpChunk, RawConnection, rawFetch, rawHead } from "../support/raw-http.ts";
import { until } from "../support/until.ts";
import {
  AUTHORIZATION,
  bodyFor,
  chat,
  errorOf,
  expectUnharmed,
  MIB,
  posted,
  startWireGateway,
} from "../support/wire-gateway.ts";

/**
 * Bodies as slow, broken and greedy clients send them.
 * @module
 */
const gateway = await startWireGateway();
afterEach(() => expectUnharmed(gateway));
afterAll(() => gateway[Symbol.asyncDispose]());

test("one byte at a time, with a length and in chunks", async () => {
  const body = bodyFor("hello", { note: "ü€😀" });
  const bytes = Buffer.from(body);
  for (const chunked of [false, true]) {
    using connection = await RawConnection.open(gateway.url);
    const headers: Record<string, string> = chunked ? { "transfer-encoding": "chunked" } : {};
    await connection.write(rawHead(posted(body, headers)));
    for (const byte of bytes) {
      const piece = Buffer.of(byte);
      await connection.write(
        chunked ? Buffer.concat([Buffer.from("1\r\n"), piece, Buffer.from("\r\n")]) : piece,
      );
    }
    if (chunked) await connection.write(httpChunk(""));
    expect((await connection.response()).status).toBe(200);
  }
});

test.each([
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "application/xml",
])("content-type %s is a 415", async (type) => {
  const answer = await rawFetch(gateway.url, posted(bodyFor("hello"), { "content-type": type }));
  expect([answer.status, errorOf(answer).code]).toEqual([415, "unsupported_media_type"]);
});

test.each([
  "application/json; charset=utf-8",
  'application/json; charset="UTF-8"',
  "Application/JSON",
  "application/vnd.api+json",
  "text/json",
  "application/json, application/json",
  "",
])("content-type %p is taken", async (type) => {
  const answer = await rawFetch(gateway.url, posted(bodyFor("hello"), { "content-type": type }));
  expect(answer.status).toBe(200);
});

test("no content type at all is taken for JSON, another charset or a compressed body is a 415", async () => {
  const bare = { ...chat("hello"), headers: AUTHORIZATION };
  expect((await rawFetch(gateway.url, bare)).status).toBe(200);
  const latin = posted(bodyFor("hello"), { "content-type": "application/json; charset=iso-8859-1" });
  expect((await rawFetch(gateway.url, latin)).status).toBe(415);
  for (const encoding of ["gzip", "br", "GZIP"]) {
    const packed = posted(Bun.gzipSync(Buffer.from(bodyFor("hello"))), { "content-encoding": encoding });
    const answer = await rawFetch(gateway.url, packed);
    expect([answer.status, errorOf(answer).code]).toEqual([415, "unsupported_media_type"]);
  }
  const identity = posted(bodyFor("hello"), { "content-encoding": "identity" });
  expect((await rawFetch(gateway.url, identity)).status).toBe(200);
});

test("a body beyond max_body is a 413 that the client gets to read", async () => {
  const body = bodyFor("hello", { padding: "x".repeat(40 * MIB) });
  const sized = await rawFetch(gateway.url, posted(body));
  expect([sized.status, errorOf(sized).code]).toEqual([413, "request_too_large"]);

  using connection = await RawConnection.open(gateway.url);
  await connection.write(rawHead(posted(body, { "transfer-encoding": "chunked" })));
  for (let at = 0; at < body.length; at += MIB) {
    if (!(await connection.write(httpChunk(body.slice(at, at + MIB))))) break;
  }
  await connection.write(httpChunk(""));
  const chunked = await connection.response();
  expect([chunked.status, errorOf(chunked).code]).toEqual([413, "request_too_large"]);
});

test("fetch and the OpenAI SDK's way of sending read the 413 too", async () => {
  const response = await fetch(`${gateway.baseURL}/chat/completions`, {
    method: "POST",
    headers: { ...AUTHORIZATION, "content-type": "application/json" },
    body: bodyFor("hello", { padding: "x".repeat(40 * MIB) }),
  });
  expect(response.status).toBe(413);
  expect(((await response.json()) as { error: { code: string } }).error.code).toBe("request_too_large");
});

test("a body just below max_body is taken", async () => {
  const body = bodyFor("hello", { padding: "x".repeat(31 * MIB) });
  expect((await rawFetch(gateway.url, posted(body))).status).toBe(200);
});

test("bodies beyond max_bodies are refused with 503 before they are read, and taken later", async () => {
  using holding = await RawConnection.open(gateway.url);
  const large = posted(bodyFor("hello", { padding: "x".repeat(30 * MIB) }));
  await holding.write(rawHead(large));
  await until(() => gateway.gateway.bodies.used > 30 * MIB, "the first body to be counted");
  const second = await rawFetch(gateway.url, {
    ...large,
    body: "",
    headers: { ...large.headers, "content-length": String(30 * MIB) },
  });
  expect([second.status, errorOf(second).code]).toEqual([503, "overloaded"]);
  expect(second.headers.get("retry-after")).toBe("1");
  await holding.write(large.body ?? "");
  expect((await holding.response()).status).toBe(200);
  expect((await rawFetch(gateway.url, large)).status).toBe(200);
});

test("a body that comes too slowly is a 408", async () => {
  for (const headers of [{ "content-length": "1000" }, { "transfer-encoding": "chunked" }]) {
    using connection = await RawConnection.open(gateway.url);
    await connection.write(rawHead(posted("", headers)));
    const answer = await connection.response();
    expect([answer.status, errorOf(answer).code]).toEqual([408, "request_timeout"]);
  }
});

test("a body that drips for ever is a 408 too", async () => {
  using connection = await RawConnection.open(gateway.url);
  await connection.write(rawHead(posted("", { "content-length": "100000" })));
  const answer = connection.response();
  let answered = false;
  const done = answer.finally(() => (answered = true));
  while (!answered) {
    await connection.write(" ");
    await Bun.sleep(50);
  }
  expect((await done).status).toBe(408);
});

test("a client that leaves with its body half sent, or right after the headers, leaves nothing behind", async () => {
  for (const sent of ["", '{"model":"hel', " ".repeat(MIB)]) {
    for (const headers of [{ "content-length": String(20 * MIB) }, { "transfer-encoding": "chunked" }]) {
      for (const leave of ["halfClose", "reset", Symbol.dispose] as const) {
        using connection = await RawConnection.open(gateway.url);
        await connection.write(rawHead(posted("", headers)));
        await until(() => gateway.gateway.inFlight.running > 0, "the request to be known");
        if (sent) await connection.write("content-length" in headers ? sent : httpChunk(sent));
        connection[leave]();
        await gateway.quiet();
      }
    }
  }
  const { body: metrics } = await rawFetch(gateway.url, { method: "GET", path: "/metrics" });
  expect(metrics).toContain('code="client_closed_request"');
  // It is nobody's fault but the client's.
  expect(metrics).not.toContain('code="internal_error"');
});
