import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { RawRequest, RawResponse } from "../support/raw-http.ts";
import { httpChunk, RawConnection, rawFetch, rawHead } from "../support/raw-http.ts";
import type { ScriptedGateway, Step } from "../support/scripted-gateway.ts";
import { HELLO, say, startScripted, stop } from "../support/scripted-gateway.ts";
import { parseFrames, textOf } from "../support/sse-frames.ts";
import { until } from "../support/until.ts";

/**
 * HTTP written by hand: what no good client sends, and what slow, broken and hostile ones do. After each of
 * them the gateway must answer as before and hold nothing that was theirs.
 * @module
 */
const ANSWERS: Readonly<Record<string, readonly Step[]>> = {
  hello: HELLO,
  "vendor/family/model": HELLO,
  mirror: [{ mirror: true }, stop()],
  "falls-silent": [say("Well"), { hang: true }],
  silent: [{ hang: true }],
};

const MIB = 1024 * 1024;
const KEY = "sk-wire-0123456789";
const SETTINGS = `
keys: [{ name: wire, key: ${KEY} }]
server: { port: 0, max_body: 32MiB, max_bodies: 48MiB }
`;

let gateway: ScriptedGateway;

beforeAll(async () => {
  gateway = await startScripted(ANSWERS, { yaml: SETTINGS, limits: { bodyIdle: 300, bodyTotal: 1_500 } });
});
afterAll(() => gateway[Symbol.asyncDispose]());
afterEach(async () => {
  await gateway.quiet();
  expect((await rawFetch(gateway.url, chat("hello"))).status).toBe(200);
  await gateway.quiet();
});

const AUTHORIZATION = { authorization: `Bearer ${KEY}` };

function bodyFor(model: string, extra: object = {}): string {
  return JSON.stringify({ model, messages: [{ role: "user", content: "Well?" }], ...extra });
}

function chat(model: string, extra: object = {}): RawRequest {
  return posted(bodyFor(model, extra));
}

function posted(body: string | Uint8Array, headers: Record<string, string> = {}): RawRequest {
  const type = { "content-type": "application/json" };
  return {
    method: "POST",
    path: "/v1/chat/completions",
    headers: { ...AUTHORIZATION, ...type, ...headers },
    body,
  };
}

function got(path: string): RawRequest {
  return { path, headers: AUTHORIZATION };
}

function errorOf({ body }: RawResponse): { code: string; message: string; param: string | null } {
  return (JSON.parse(body) as { error: { code: string; message: string; param: string | null } }).error;
}

/** The next answer's status, or that the connection was closed; rejects when neither comes. */
async function statusOrEnd(connection: RawConnection): Promise<number | "closed"> {
  try {
    return (await connection.response()).status;
  } catch {
    await connection.closed();
    return "closed";
  }
}

/** What the upstream got of a request. */
function mirrored({ body }: RawResponse): string {
  const { choices } = JSON.parse(body) as { choices: { message: { content: string } }[] };
  return choices[0]?.message.content ?? "";
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

describe("bodies", () => {
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
          await until(() => gateway.gateway.calls.running > 0, "the request to be known");
          if (sent) await connection.write("content-length" in headers ? sent : httpChunk(sent));
          connection[leave]();
          await gateway.quiet();
        }
      }
    }
  });
});

describe("JSON", () => {
  const DEEP = 100_000;

  test.each([
    ["arrays", "[".repeat(DEEP) + "]".repeat(DEEP)],
    ["objects", '{"a":'.repeat(DEEP) + "1" + "}".repeat(DEEP)],
  ])("%s nested 100,000 deep are a 400, whoever would have to read them", async (_, deep) => {
    for (const model of ["hello", "mirror"]) {
      for (const stream of [false, true]) {
        const messages = `[{"role":"user","content":"Well?"}]`;
        const inField = `{"model":"${model}","stream":${stream},"messages":${messages},"extra":${deep}}`;
        const answer = await rawFetch(gateway.url, posted(inField));
        expect(answer.status).toBe(400);
        expect(errorOf(answer).code).toBe("invalid_json");
      }
    }
    const alone = await rawFetch(gateway.url, posted(deep));
    expect(alone.status).toBe(400);
    const inTools = `{"model":"mirror","messages":[{"role":"user","content":[{"type":"x","x":${deep}}]}]}`;
    expect((await rawFetch(gateway.url, posted(inTools))).status).toBe(400);
  });

  test("a hundred levels, as a tool's schema may have, are forwarded", async () => {
    const schema = '{"properties":{"a":'.repeat(50) + "{}" + "}}".repeat(50);
    const body = `{"model":"mirror","messages":[{"role":"user","content":"x"}],"tools":${schema}}`;
    const answer = await rawFetch(gateway.url, posted(body));
    expect(JSON.stringify((JSON.parse(mirrored(answer)) as { tools: object }).tools)).toBe(schema);
  });

  test.each(["", " ", "{", "{}}", "{'a':1}", "undefined", "NaN", '{"a":1,}', "\u0000", "hello".repeat(1000)])(
    "the body %p is a 400",
    async (body) => {
      const answer = await rawFetch(gateway.url, posted(body));
      expect([answer.status, errorOf(answer).code]).toEqual([400, "invalid_json"]);
      expect(answer.body.length).toBeLessThan(300);
    },
  );

  test.each(["null", "7", '"text"', "[]", "true"])("the body %s is a 400 too", async (body) => {
    const answer = await rawFetch(gateway.url, posted(body));
    expect([answer.status, errorOf(answer).code]).toEqual([400, "invalid_value"]);
  });

  test("what isn't UTF-8 is a 400, a byte order mark is skipped", async () => {
    const [before = "", after = ""] = bodyFor("hello").split("Well?");
    for (const bytes of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      const broken = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
      const answer = await rawFetch(gateway.url, posted(broken));
      expect([answer.status, errorOf(answer).code]).toEqual([400, "invalid_json"]);
    }
    expect((await rawFetch(gateway.url, posted(`\ufeff${bodyFor("hello")}`))).status).toBe(200);
  });

  test("keys such as __proto__ travel on and do no harm", async () => {
    const strange = '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x"';
    const body = `{"model":"mirror",${strange},"messages":[{"role":"user","content":"x",${strange}}]}`;
    const answer = await rawFetch(gateway.url, posted(body));
    expect(answer.status).toBe(200);
    const seen = mirrored(answer);
    expect(seen.split('"__proto__":{"polluted":1}')).toHaveLength(3);
    expect(seen.split('"constructor":{"prototype":{"polluted":1}}')).toHaveLength(3);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test("of a key that comes twice the last value counts", async () => {
    const body = '{"model":"nobody","model":"hello","messages":7,"messages":[{"role":"user","content":"x"}]}';
    expect((await rawFetch(gateway.url, posted(body))).status).toBe(200);
  });
});

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
    ["/v1/models//", 404],
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
    expect(gateway.gateway.calls.running).toBe(0);
  });
});
