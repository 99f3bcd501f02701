import { afterAll, afterEach, expect, test } from "bun:test";
import { brotliCompressSync, deflateSync } from "node:zlib";
import type { RawResponse } from "../support/raw-http.ts";
import { rawFetch } from "../support/raw-http.ts";
import { bodyFor, errorOf, expectUnharmed, posted, startWireGateway } from "../support/wire-gateway.ts";

/**
 * JSON that no good client sends.
 * @module
 */
const gateway = await startWireGateway();
afterEach(() => expectUnharmed(gateway));
afterAll(() => gateway[Symbol.asyncDispose]());

/** What the upstream got of a request. */
function mirrored({ body }: RawResponse): string {
  const { choices } = JSON.parse(body) as { choices: { message: { content: string } }[] };
  return choices[0]?.message.content ?? "";
}

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

test.each([
  ["{secret: 1}", "; the parser says: expected '}'"],
  ['{"secret" 1}', "; the parser says: expected ':'"],
  ['{"a": 1, "secret"', "; the parser says: expected ':'"],
  ["{'secret': 1}", "; the parser says: single quotes (') are not allowed"],
  ['{"a": secret}', "; the parser says: unexpected identifier"],
  ['{"a": "secret', "; the parser says: unterminated string"],
  ['["secret",', "; it ends too early"],
  ["\u0000secret", "; the parser says: unrecognized token"],
  ['{"secret": 1}}', ""],
])("of the body %j the client hears a whole sentence without its own text", async (body, said) => {
  const { message } = errorOf(await rawFetch(gateway.url, posted(body)));
  expect(message).toBe(`the body is not valid JSON${said}`);
});

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

test.each([
  ["zstd", Bun.zstdCompressSync, "; it begins like zstd, send it uncompressed"],
  ["gzip", Bun.gzipSync, "; it begins like gzip, send it uncompressed"],
  ["deflate", deflateSync, "; it begins like deflate, send it uncompressed"],
  [
    "brotli",
    brotliCompressSync,
    "; it doesn't begin like JSON: if it is compressed, with brotli say, send it uncompressed",
  ],
] as const)("of a body in %s that doesn't say so the client hears what to do", async (_, compress, said) => {
  for (const length of [1, 100, 10_000]) {
    const body = bodyFor("hello").replace("Well?", "Well? ".repeat(length));
    const answer = await rawFetch(gateway.url, posted(Buffer.from(compress(Buffer.from(body)))));
    expect(errorOf(answer)).toMatchObject({
      code: "invalid_json",
      message: `the body is not valid UTF-8${said}`,
    });
  }
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
