import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { Authority } from "../support/certificates.ts";
import type { WireUpstreams } from "../support/wire-upstreams.ts";
import { answer, WIRE_FORMATS, NAMED_WAYS, startWireUpstreams } from "../support/wire-upstreams.ts";

/**
 * What a server says of its answer's `content-encoding`, rightly or wrongly.
 * @module
 */
const authority = new Authority();
afterAll(() => authority[Symbol.dispose]());

type Encode = (bytes: Uint8Array) => Uint8Array;
const asItIs: Encode = (bytes) => bytes;
const brotli: Encode = (bytes) => brotliCompressSync(bytes);

/** The head's value, and what was really done, in words and by whom. */
const READABLE: readonly (readonly [string, string, Encode])[] = [
  ["", "nothing", asItIs],
  ["none", "nothing", asItIs],
  ["identity", "nothing", asItIs],
  ["identity, identity", "nothing", asItIs],
  ["utf-8", "nothing", asItIs],
  ["aws-chunked", "nothing", asItIs],
  ["x-unknown", "nothing", asItIs],
  ["identity, gzip", "nothing", asItIs],
  ["gzip", "nothing", asItIs],
  ["br", "nothing", asItIs],
  ["deflate", "nothing", asItIs],
  ["zstd", "nothing", asItIs],
  ["gzip", "gzip", gzipSync],
  ["GZIP", "gzip", gzipSync],
  ["x-gzip", "gzip", gzipSync],
  ["identity, gzip", "gzip", gzipSync],
  ["utf-8, gzip", "gzip", gzipSync],
  ["gzip, utf-8", "gzip", gzipSync],
  ["deflate", "zlib", deflateSync],
  ["deflate", "deflate", deflateRawSync],
  ["br", "brotli", brotli],
  ["zstd", "zstd", (bytes) => Bun.zstdCompressSync(bytes)],
  ["gzip, br", "gzip, brotli", (bytes) => brotli(gzipSync(bytes))],
  ["gzip, gzip", "gzip twice", (bytes) => gzipSync(gzipSync(bytes))],
  ["deflate, gzip, br", "all three", (bytes) => brotli(gzipSync(deflateRawSync(bytes)))],
];

const UNREADABLE: readonly (readonly [string, string, Encode])[] = [
  ["compress", "compress", (bytes) => gzipSync(bytes).map((byte, at) => (at < 2 ? [0x1f, 0x9d][at]! : byte))],
  ["x-unknown", "gzip", gzipSync],
  ["utf-8", "brotli", brotli],
  ["gzip", "brotli", brotli],
  ["gzip", "gzip that is cut", (bytes) => gzipSync(bytes).subarray(0, 60)],
  ["zstd", "gzip", gzipSync],
  ["gzip, br", "gzip", gzipSync],
  ["gzip, gzip, gzip, gzip, gzip, gzip", "nothing", asItIs],
];

describe.each(NAMED_WAYS)("over %s", (_, way) => {
  let up: WireUpstreams;
  beforeAll(async () => {
    up = await startWireUpstreams(way, { authority, yaml: "health: { failures: 1000 }\n" });
  });
  afterAll(() => up[Symbol.asyncDispose]());
  let status = "200 OK";
  afterEach(() => (status = "200 OK"));

  /** Answers with a body that was encoded so. */
  function encode(value: string, encode: Encode): void {
    up.server.respond = (request, socket) => {
      const [head = "", body = ""] = answer(request).split(/\r\n\r\n(.*)/s);
      const encoded = encode(Buffer.from(body));
      const others = head.split("\r\n").filter((line) => !/^(HTTP|content-length)/.test(line));
      const lines = [
        `HTTP/1.1 ${status}`,
        ...others,
        `content-encoding: ${value}`,
        `content-length: ${encoded.length}`,
      ];
      socket.write(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), encoded]));
    };
  }

  test.each(READABLE)("%p over %s is read", async (value, _done, by) => {
    encode(value, by);
    for (const { plugin } of WIRE_FORMATS)
      for (const stream of [true, false])
        expect([plugin, await up.ask(plugin, stream)]).toEqual([plugin, "answered"]);
  });

  test.each(UNREADABLE)(
    "%p over %s is an answer that can't be read, and isn't asked for again",
    async (value, _done, by) => {
      encode(value, by);
      for (const { plugin } of WIRE_FORMATS)
        for (const stream of [true, false]) {
          const before = up.server.requests.length;
          const said = await up.ask(plugin, stream);
          expect(said).toStartWith("502 ");
          expect(said).toContain('"upstream_bad_response"');
          expect(said).toContain(`(\\"${value}\\")`);
          expect(said).toMatch(/^[\x20-\x7e]*$/);
          expect(up.server.requests.length - before).toBe(1);
        }
    },
  );

  test("an error whose body can't be read is told by its status", async () => {
    status = "500 Oh";
    encode("x-unknown", gzipSync);
    expect(await up.ask("openai", false)).toMatch(/^502 .*status 500 and no message/);
    encode("gzip, br", (bytes) => brotli(gzipSync(bytes)));
    status = "400 Bad Request";
    expect(await up.ask("openai", false)).toStartWith("400 ");
  });
});
