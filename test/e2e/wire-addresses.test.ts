import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { RawConnection, rawFetch, rawHead } from "../support/raw-http.ts";
import {
  AUTHORIZATION,
  bodyFor,
  chat,
  errorOf,
  expectUnharmed,
  got,
  KEY,
  posted,
  startWireGateway,
} from "../support/wire-gateway.ts";

/**
 * Hosts and addresses of all kinds, and what is hardly HTTP.
 * @module
 */
const gateway = await startWireGateway();
afterEach(() => expectUnharmed(gateway));
afterAll(() => gateway[Symbol.asyncDispose]());

describe("addresses", () => {
  test.each(["gw", "x", "models", "a.b", "api", "[::1]:80", "localhost:8088", ""])(
    "the host %p",
    async (host) => {
      const headers = { ...AUTHORIZATION, host };
      for (const [path, status] of [
        ["/", 200],
        ["/health", 200],
        ["/health/live", 200],
        ["/health/ready", 200],
        ["/openapi.json", 200],
        ["/docs", 200],
        ["/v1/models", 200],
        ["/v1/models/hello", 200],
        ["/v1/models/vendor/family/model", 200],
        ["/v1/v1/models/", 200],
        ["/models", 200],
        ["/nowhere", 404],
      ] as const) {
        expect([path, (await rawFetch(gateway.url, { path, headers })).status]).toEqual([path, status]);
      }
      const asked = posted(bodyFor("hello"), { host });
      for (const path of ["/v1/chat/completions", "/v1/v1/chat/completions", "/chat/completions/"]) {
        expect((await rawFetch(gateway.url, { ...asked, path })).status).toBe(200);
      }
    },
  );

  test.each(["x", "gw", "xyz", "localhost"])(
    "with the host %p nothing lies below another path",
    async (host) => {
      for (const path of [
        "/v1/metrics",
        "/ab/metrics",
        "/v/metrics",
        "/metricsx",
        "/ab/health",
        "/v1/health/live",
        "/ab/openapi.json",
        "/v1/docs",
        "/ab/docs/viewer.js",
        "/ab/v1/models",
      ]) {
        const answer = await rawFetch(gateway.url, { path, headers: { ...AUTHORIZATION, host } });
        expect([path, answer.status]).toEqual([path, 404]);
      }
      for (const path of ["/metrics", "/docs/viewer.js", "/docs/viewer.css"]) {
        const answer = await rawFetch(gateway.url, { path, headers: { host } });
        expect([path, answer.status]).toEqual([path, 200]);
      }
    },
  );

  test("what the API documents load lies beside them, below any path that a proxy strips", async () => {
    const page = await rawFetch(gateway.url, { path: "/docs" });
    const loaded = [...page.body.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, url]) => url ?? "");
    expect(loaded.filter((url) => !url.startsWith("docs/") && url !== "data:,")).toEqual([]);
    const below = await rawFetch(gateway.url, { path: "/docs/" });
    expect(below.body).toContain('src="viewer.js"');
    const script = await rawFetch(gateway.url, { path: "/docs/viewer.js" });
    expect(script.body).toContain('new URL("../openapi.json", document.currentScript.src)');
    const style = await rawFetch(gateway.url, { path: "/docs/viewer.css" });
    for (const { body } of [page, below, script, style]) expect(body).not.toMatch(/\bhttps?:\/\//);
    const document = JSON.parse((await rawFetch(gateway.url, { path: "/openapi.json" })).body) as object;
    expect(document).toMatchObject({ servers: [{ url: "." }] });
  });

  test.each([
    ["/v1/models/vendor%2Ffamily%2Fmodel", 200],
    ["/v1/models/vendor/family%2Fmodel", 200],
    ["/v1/models/%68ello", 200],
    ["/v1/models/%zz", 404],
    ["/v1/models/%", 404],
    ["/v1/models/%E0%A4%A", 404],
    ["/v1/models/%00", 404],
    ["/v1/models/../../etc/passwd", 404],
    ["/v1/models/__proto__", 404],
    ["/v1/models/constructor", 404],
    ["/v1/models/scripted/", 404],
    ["/%zz", 404],
    ["/v1/%E0", 404],
  ])("GET %s is a %d", async (path, status) => {
    const answer = await rawFetch(gateway.url, got(path));
    expect(answer.status).toBe(status);
    if (status === 404) expect(errorOf(answer).code).toMatch(/^(model_not_found|unknown_url)$/);
  });

  test("a model's name of 10,000 characters is refused without repeating it", async () => {
    const long = "x".repeat(10_000);
    const asked = await rawFetch(gateway.url, chat(long));
    expect([asked.status, errorOf(asked).param]).toEqual([400, "model"]);
    const shown = await rawFetch(gateway.url, got(`/v1/models/${long}`));
    expect(shown.status).toBe(404);
    for (const answer of [asked, shown]) expect(answer.body.length).toBeLessThan(1_000);
  });

  test("an HTTP/1.0 client that names no host is served", async () => {
    for (const [path, status] of [
      ["/health", 200],
      ["//health/", 200],
      ["/v1/models/hello", 200],
      ["/nowhere?x", 404],
    ] as const) {
      using connection = await RawConnection.open(gateway.url);
      await connection.write(`GET ${path} HTTP/1.0\r\nauthorization: Bearer ${KEY}\r\n\r\n`);
      expect((await connection.response()).status).toBe(status);
    }
  });

  test("an address in absolute form is understood", async () => {
    const answer = await rawFetch(gateway.url, got(`${gateway.url}/v1/models`));
    expect(answer.status).toBe(200);
  });
});

describe("what is hardly HTTP", () => {
  test.each([
    ["garbage", "\u0000\u0001garbage\r\n\r\n"],
    ["a TLS hello", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003"],
    ["no version", "GET /v1/models\r\n\r\n"],
    ["a strange version", "GET /v1/models HTTP/9.9\r\nhost: x\r\n\r\n"],
    ["no host", `GET /v1/models HTTP/1.1\r\nauthorization: Bearer ${KEY}\r\n\r\n`],
    ["a strange method", "FROBNICATE /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["CONNECT", "CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n"],
    ["headers of 64 kB", rawHead({ ...got("/health"), headers: { "x-padding": "x".repeat(64_000) } })],
    [
      "1,000 headers",
      rawHead({
        ...got("/health"),
        headers: Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`x-${index}`, "y"])),
      }),
    ],
    ["a path of 64 kB", rawHead(got(`/${"x".repeat(64_000)}`))],
    ["a broken header", "GET /health HTTP/1.1\r\nhost: x\r\nno colon here\r\n\r\n"],
    ["two lengths", rawHead(posted("", { "content-length": "3", "Content-Length": "5" })) + "{}   "],
    ["a negative length", rawHead(posted("", { "content-length": "-1" }))],
    ["a length that is no number", rawHead(posted("", { "content-length": "many" }))],
    ["a length beyond all", rawHead(posted("", { "content-length": "99999999999999999999" }))],
    [
      "a length and chunks",
      rawHead(posted("", { "content-length": "3", "transfer-encoding": "chunked" })) + "0\r\n\r\n",
    ],
    ["a broken chunk", `${rawHead(posted("", { "transfer-encoding": "chunked" }))}zz\r\n{}\r\n0\r\n\r\n`],
    [
      "a chunk beyond all",
      `${rawHead(posted("", { "transfer-encoding": "chunked" }))}ffffffffffffffff\r\n{}`,
    ],
    [
      "an upgrade",
      rawHead({
        ...got("/v1/models"),
        headers: {
          ...AUTHORIZATION,
          connection: "Upgrade",
          upgrade: "websocket",
          "sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw==",
          "sec-websocket-version": "13",
        },
      }),
    ],
    ["an expectation", rawHead(posted("", { "content-length": "2", expect: "100-continue" })) + "{}"],
  ])("%s is answered, or the connection closed, and nothing hangs", async (_, wire) => {
    using connection = await RawConnection.open(gateway.url);
    await connection.write(Buffer.from(wire, "latin1"));
    // A server may wait for the rest of what it can't understand yet; nothing more comes.
    connection.halfClose();
    await connection.closed();
  });

  test("half a request line, and then nothing, holds no call", async () => {
    using connection = await RawConnection.open(gateway.url);
    await connection.write("POST /v1/chat/comp");
    expect(gateway.gateway.inFlight.running).toBe(0);
  });
});
