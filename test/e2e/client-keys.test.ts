import { afterAll, expect, test } from "bun:test";
import type { Answers } from "../support/scripted-gateway.ts";
import { HELLO, startScripted } from "../support/scripted-gateway.ts";

/**
 * Keys in all the forms in which clients send them.
 * @module
 */
const ANSWERS: Answers = {
  hello: HELLO,
};

const KEY = "sk-good-0123456789";
const gateway = await startScripted(ANSWERS, { yaml: `keys: [{ name: good, key: ${KEY} }]\n` });
afterAll(() => gateway[Symbol.asyncDispose]());

interface ErrorBody {
  readonly error: { message: string; type: string; param: string | null; code: string };
}

const ask = (headers: Record<string, string>) => fetch(`${gateway.baseURL}/models`, { headers });

test.each<Record<string, string>>([
  { authorization: `Bearer ${KEY}` },
  { authorization: `bearer ${KEY}` },
  { authorization: `BEARER   ${KEY}  ` },
  { authorization: `Bearer Bearer ${KEY}` },
  { authorization: `Bearer bearer ${KEY}` },
  { authorization: `Bearer\t${KEY}` },
  { authorization: KEY },
  { "x-api-key": KEY },
  { "api-key": ` ${KEY} ` },
  { authorization: `Bearer ${KEY}`, "api-key": "", "x-api-key": "" },
  { authorization: "Bearer ", "x-api-key": KEY },
  { authorization: "Bearer", "api-key": KEY },
  { authorization: "", "api-key": KEY },
  { authorization: "Bearer sk-of-somewhere-else", "x-api-key": KEY },
])("%o is let in", async (headers) => {
  expect((await ask(headers)).status).toBe(200);
});

test.each<Record<string, string>>([
  {},
  { authorization: "" },
  { authorization: "Bearer" },
  { authorization: "Bearer " },
  { authorization: "Bearer Bearer" },
  { authorization: "Bearer undefined" },
  { authorization: `Bearer ${KEY}x` },
  { authorization: `Bearer ${KEY.slice(0, -1)}` },
  { authorization: `Bearer ${KEY.toUpperCase()}` },
  { authorization: `Basic ${btoa(`:${KEY}`)}` },
  { authorization: `Bearer ${"x".repeat(8_000)}` },
  { "x-api-key": "" },
  { "openai-api-key": KEY },
])("%o is refused with 401", async (headers) => {
  const response = await ask(headers);
  expect(response.status).toBe(401);
  expect(response.headers.get("www-authenticate")).toBe("Bearer");
  const { error } = (await response.json()) as ErrorBody;
  expect(error).toMatchObject({ type: "invalid_request_error", code: "invalid_api_key", param: null });
  expect(error.message).not.toContain(KEY);
});
