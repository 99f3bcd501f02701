import { expect, test } from "bun:test";
import { requestOf } from "../../../test/support/request-of.ts";
import type { ChatRequest } from "../../contract/index.ts";
import { sourceOf } from "../../json/source.ts";
import { CancelSource } from "../../runtime/cancel-source.ts";
import { ByteBudget } from "../../limits/byte-budget.ts";
import type { Gateway } from "../../gateway.ts";
import { estimateRequest } from "../../usage/token-estimate.ts";
import type { Exchange } from "./exchange.ts";
import { readBody } from "./read-body.ts";

const gateway = {
  bodies: new ByteBudget(1_000_000),
  limits: { maxBody: 1_000_000, bodyIdle: 1_000, bodyTotal: 1_000 },
} as Gateway;

async function readIn(body: string): Promise<ChatRequest> {
  const headers = { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) };
  const http = new Request("http://localhost/", { method: "POST", headers, body });
  const exchange = { http, gateway, cancellation: new CancelSource(), age: 0 } as unknown as Exchange;
  return (await readBody(exchange)) as ChatRequest;
}

async function sourceIn(body: string): Promise<string | undefined> {
  const source = sourceOf(await readIn(body));
  return source && Buffer.from(source.bytes).toString();
}

test("a body keeps the bytes it was written in", async () => {
  const body = '{ "model": "m", "temperature": 1.0, "messages": ["\\u4f60", "ü"] }';
  expect(await sourceIn(body)).toBe(body);
});

test.each([
  ["a byte order mark", '\u{feff}{"model":"one"}', '{"model":"one"}'],
  ["all but the last member of a name", '{"model":"one", "model":"two" }', '{"model":"two" }'],
  ["one with a letter as an escape", '{"\\u006dodel":"one","a":1,"model":"two"}', '{"a":1,"model":"two"}'],
])("without %s, because others might read another model in it", async (_, body, kept) => {
  expect(await sourceIn(body)).toBe(kept);
});

test.each([
  ["of ASCII", true, '{"model":"m","messages":["\\n \\" ~"]}'],
  ["with other letters in it", false, '{"model":"m","messages":["ü"]}'],
  ["with letters that only escapes say", false, '{"model":"m","messages":["\\u4f60"]}'],
])("a body %s is known as such", async (_, ascii, body) => {
  expect(sourceOf(await readIn(body))?.ascii).toBe(ascii);
});

test("a conversation is worth the same number of tokens, whether its bytes are kept or not", async () => {
  for (const content of ["four".repeat(99), "vier für alle", "你好", 'a "quote"\n']) {
    const body = JSON.stringify({ model: "m", messages: [{ role: "user", content }] });
    const request = await readIn(body);
    expect(sourceOf(request)).toBeDefined();
    const bounds = { estimate: 0, longest: 0 };
    expect(estimateRequest(requestOf(request), bounds)).toEqual(
      estimateRequest(requestOf(JSON.parse(body) as object), bounds),
    );
  }
});

test("the bytes are given back to the budget", () => {
  expect(gateway.bodies.used).toBe(0);
});
