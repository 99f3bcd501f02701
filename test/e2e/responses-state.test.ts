import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { TEST_KEY } from "../support/gateway.ts";
import { checkResponsesStream } from "../support/responses-stream.ts";
import type { ScriptedGateway } from "../support/scripted-gateway.ts";
import { HELLO, say, spent, startScripted, stop } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * What is kept between the requests of a conversation.
 * @module
 */

const OTHER_KEY = "sk-test-other-12345678";
const KEYS = `keys: [{ name: test, key: ${TEST_KEY} }, { name: other, key: ${OTHER_KEY} }]\n`;
const ANSWERS = {
  hello: HELLO,
  mirror: [{ mirror: true }, stop(), spent(3, 2)],
  signed: [
    { type: "reasoning", text: "Hm.", block: 0 },
    { type: "reasoning", text: "", block: 0, signature: "signed" },
    { type: "text", text: "So." },
    { type: "tool-call", index: 0, id: "c1", name: "f", arguments: "{}" },
    { type: "finish", reason: "tool_calls" },
    spent(3, 2),
  ],
  cut: [{ type: "text", text: "Half" }, { type: "finish", reason: "length" }, spent(3, 2)],
  broken: [
    { type: "text", text: "Half" },
    { fail: "truncated", message: "it broke off" },
  ],
} as const;

let gateway: ScriptedGateway;
beforeAll(async () => {
  const upstream = { options: { answers: ANSWERS, extensions: ["reasoning_details"] } };
  gateway = await startScripted(ANSWERS, { yaml: KEYS, upstream });
});
afterAll(() => gateway[Symbol.asyncDispose]());

type ResponseObject = OpenAI.Responses.Response & { readonly store: boolean };

interface Asked {
  readonly messages: readonly Record<string, unknown>[];
}

function post(body: object, { key = TEST_KEY, of = gateway } = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  return fetch(`${of.baseURL}/responses`, { method: "POST", headers, body: JSON.stringify(body) });
}

async function answer(body: object, options?: Parameters<typeof post>[1]): Promise<ResponseObject> {
  const response = await post(body, options);
  expect(response.status).toBe(200);
  return (await response.json()) as ResponseObject;
}

async function streamed(body: object): Promise<ResponseObject> {
  return checkResponsesStream(await (await post({ ...body, stream: true })).text())
    .response as ResponseObject;
}

/** What the upstream is asked. */
async function asked(body: object): Promise<Asked["messages"]> {
  const { output } = await answer({ ...body, model: "mirror" });
  const [message] = output as [OpenAI.Responses.ResponseOutputMessage];
  const [part] = message.content as [OpenAI.Responses.ResponseOutputText];
  return (JSON.parse(part.text) as Asked).messages;
}

async function errorOf(response: Response): Promise<unknown> {
  const { error } = (await response.json()) as { error: object };
  return { status: response.status, ...error };
}

const user = (content: string) => ({ role: "user", content });

describe("previous_response_id", () => {
  test.each([
    ["plain", answer],
    ["streamed", streamed],
  ])("goes on from a %s answer, over several turns, without its instructions", async (_, ask) => {
    const first = await ask({ model: "hello", input: "One", instructions: "Be brief." });
    const second = await ask({ model: "hello", input: [user("Two")], previous_response_id: first.id });
    expect([first.store, second.previous_response_id]).toEqual([true, first.id]);
    expect(
      await asked({ input: "Three", previous_response_id: second.id, instructions: "Now long." }),
    ).toEqual([
      { role: "system", content: "Now long." },
      user("One"),
      { role: "assistant", content: "Hello, world" },
      user("Two"),
      { role: "assistant", content: "Hello, world" },
      user("Three"),
    ]);
  });

  test("gives signed reasoning back that the client wasn't shown", async () => {
    const { id, output } = await answer({ model: "signed", input: "One" });
    expect(JSON.stringify(output)).not.toContain("mdy1");
    const result = { type: "function_call_output", call_id: "c1", output: "1" };
    expect(await asked({ input: [result], previous_response_id: id })).toMatchObject([
      user("One"),
      {
        role: "assistant",
        content: "So.",
        reasoning_details: [{ text: "Hm.", signature: "signed" }],
        tool_calls: [{ id: "c1" }],
      },
      { role: "tool", tool_call_id: "c1", content: "1" },
    ]);
  });

  test("goes on from an answer that was cut short, and from none that broke off", async () => {
    const cut = await streamed({ model: "cut", input: "One" });
    expect(await asked({ input: "Two", previous_response_id: cut.id })).toHaveLength(3);
    const broken = await streamed({ model: "broken", input: "One" });
    expect((await post({ model: "hello", input: "Two", previous_response_id: broken.id })).status).toBe(400);
  });

  test("is another key's or nobody's: then the request is refused, never answered without its history", async () => {
    const { id, output } = await answer({ model: "hello", input: "One" });
    const body = { model: "hello", input: "Two" };
    const refusal = { status: 400, code: "previous_response_not_found", param: "previous_response_id" };
    expect(
      await errorOf(await post({ ...body, previous_response_id: id }, { key: OTHER_KEY })),
    ).toMatchObject(refusal);
    for (const unknown of ["resp_1", id.replace(/.$/, "z"), output[0]?.id, ""]) {
      expect(await errorOf(await post({ ...body, previous_response_id: unknown }))).toMatchObject(refusal);
    }
  });

  test("isn't kept where the request says so", async () => {
    const { id, store } = await answer({ model: "hello", input: "One", store: false });
    expect(store).toBe(false);
    expect((await post({ model: "hello", input: "Two", previous_response_id: id })).status).toBe(400);
  });

  test("isn't kept where the configuration says so, and no answer says that it was", async () => {
    await using without = await startScripted(ANSWERS, { yaml: "responses: { max_size: 0 }\n" });
    const { id, store } = await answer({ model: "hello", input: "One" }, { of: without });
    expect(store).toBe(false);
    const response = await post({ model: "hello", input: "Two", previous_response_id: id }, { of: without });
    expect(await errorOf(response)).toMatchObject({ status: 400, code: "previous_response_not_found" });
  });

  test("isn't kept beyond its bound, which the answer says", async () => {
    await using small = await startScripted(ANSWERS, { yaml: "responses: { max_size: 4KiB }\n" });
    const kept = await answer({ model: "hello", input: "One" }, { of: small });
    const large = await answer({ model: "hello", input: "x".repeat(5000) }, { of: small });
    expect([kept.store, large.store]).toEqual([true, false]);
  });
});

describe("item_reference", () => {
  test("is replaced by the item", async () => {
    const { output } = await answer({ model: "signed", input: "One" });
    const [reasoning, message, call] = output as { id: string }[];
    const input = [
      user("One"),
      { type: "item_reference", id: reasoning?.id },
      { type: "item_reference", id: message?.id },
      call,
      { type: "function_call_output", call_id: "c1", output: "1" },
    ];
    expect(await asked({ input })).toMatchObject([
      user("One"),
      {
        content: "So.",
        reasoning_details: [{ signature: "signed" }],
        tool_calls: [{ id: "c1" }],
      },
      { role: "tool" },
    ]);
  });

  test("to what isn't there is refused", async () => {
    const input = [user("One"), { type: "item_reference", id: "msg_1" }];
    expect(await errorOf(await post({ model: "hello", input }))).toMatchObject({
      status: 400,
      code: "item_not_found",
      param: "input[1].id",
    });
  });
});

describe("a request with what it refers to", () => {
  const YAML = "server: { port: 0, max_body: 40KiB, max_bodies: 40KiB }\n";
  const long = "x".repeat(10_000);
  const small = () => startScripted({ ...ANSWERS, long: [say(long), stop(), spent(1, 1)] }, { yaml: YAML });
  const tooLarge = { status: 413, code: "request_too_large", param: "input" };

  test("is bounded like one that says it itself", async () => {
    await using of = await small();
    const { id, output } = await answer({ model: "long", input: "One" }, { of });
    const items = (count: number) => Array(count).fill({ type: "item_reference", id: output[0]?.id });
    expect((await post({ model: "hello", input: items(3) }, { of })).status).toBe(200);
    expect(await errorOf(await post({ model: "hello", input: items(4) }, { of }))).toMatchObject(tooLarge);
    const beside = { model: "hello", input: "x".repeat(31_000), previous_response_id: id };
    expect(await errorOf(await post(beside, { of }))).toMatchObject(tooLarge);
  });

  test("is bounded over many turns", async () => {
    await using of = await small();
    const go = (previous?: string) =>
      post(
        { model: "long", input: "On", ...(previous !== undefined && { previous_response_id: previous }) },
        { of },
      );
    let id: string | undefined;
    for (let turn = 0; turn < 4; turn++) ({ id } = (await (await go(id)).json()) as ResponseObject);
    expect(await errorOf(await go(id))).toMatchObject(tooLarge);
  });

  test("counts among the bodies in memory", async () => {
    await using of = await small();
    const { id } = await answer({ model: "long", input: "One" }, { of });
    const body = { model: "hello", input: "Two", previous_response_id: id };
    const other = new AbortController();
    const piece = new ReadableStream({ start: (stream) => stream.enqueue(Buffer.from("x".repeat(35_000))) });
    const headers = { authorization: `Bearer ${TEST_KEY}`, "content-type": "application/json" };
    const sent = { method: "POST", headers, body: piece, signal: other.signal };
    const reading = fetch(`${of.baseURL}/responses`, sent).catch(() => undefined);
    await until(() => of.gateway.bodies.used >= 35_000, "the other body");
    expect(await errorOf(await post(body, { of }))).toMatchObject({ status: 503, code: "overloaded" });
    other.abort();
    await reading;
    await of.quiet();
    expect((await post(body, { of })).status).toBe(200);
  });
});

test("an answer that is kept, or refers to one, is never the cached one of another request", async () => {
  await using cached = await startScripted(ANSWERS, { yaml: "cache: { mode: all, scope: shared }\n" });
  const state = async (body: object) => {
    const response = await post({ model: "hello", input: "One", ...body }, { of: cached });
    const { id } = (await response.json()) as ResponseObject;
    return { id, cache: response.headers.get("x-modelyard-cache") };
  };
  const [one, two] = [await state({}), await state({})];
  expect(one.id).not.toBe(two.id);
  expect([one.cache, two.cache]).toEqual(["bypass", "bypass"]);
  await state({ store: false });
  expect((await state({ store: false })).cache).toBe("hit");
  expect((await state({ store: false, metadata: { a: "b" } })).cache).not.toBe("hit");
  expect((await state({ store: false, previous_response_id: one.id })).cache).toBe("bypass");
  expect((await state({ store: false, tools: [{ type: "web_search" }] })).cache).toBe("bypass");
});

describe("an answer that is kept", () => {
  const at = (path: string, method = "GET", { key = TEST_KEY, of = gateway } = {}) =>
    fetch(`${of.baseURL}/responses/${path}`, { method, headers: { authorization: `Bearer ${key}` } });

  test("is shown as it was given, and is forgotten when asked", async () => {
    const given = await answer({ model: "signed", input: "One", metadata: { a: "b" } });
    const shown = await at(given.id);
    expect([shown.status, await shown.json()]).toEqual([200, JSON.parse(JSON.stringify(given))]);
    expect(
      (await fetch(`${gateway.url}/responses/${given.id}/`, { headers: { "x-api-key": TEST_KEY } })).status,
    ).toBe(200);
    const forgotten = await at(given.id, "DELETE");
    expect(await forgotten.json()).toEqual({ id: given.id, object: "response", deleted: true });
    expect(await errorOf(await at(given.id))).toMatchObject({ status: 404, code: "response_not_found" });
    expect((await at(given.id, "DELETE")).status).toBe(404);
    expect((await post({ model: "hello", input: "Two", previous_response_id: given.id })).status).toBe(400);
  });

  test("has the items that it answered, in pages", async () => {
    const { id } = await answer({ model: "hello", input: [user("One"), user("Two"), user("Three")] });
    const listed = (text: string) => ({
      type: "message",
      role: "user",
      content: [{ type: "input_text", text }],
    });
    const page = async (query: string) =>
      (await (await at(`${id}/input_items${query}`)).json()) as { data: object[] };
    expect(await page("?order=asc&limit=2")).toMatchObject({
      data: [listed("One"), listed("Two")],
      first_id: "item_0",
      last_id: "item_1",
      has_more: true,
    });
    expect(await page("?order=asc&after=item_1")).toMatchObject({ data: [listed("Three")], has_more: false });
    expect((await page("")).data).toMatchObject([listed("Three"), listed("Two"), listed("One")]);
  });

  test.each([
    ["limit", "-1"],
    ["limit", "101"],
    ["limit", "many"],
    ["order", "bogus"],
    ["after", "unknown"],
  ])("refuses a page of its items by %s=%s", async (param, value) => {
    const { id } = await answer({ model: "hello", input: "One" });
    expect(await errorOf(await at(`${id}/input_items?${param}=${value}`))).toMatchObject({
      status: 400,
      code: "invalid_value",
      param,
    });
  });

  test("is nobody else's, and can't be cancelled", async () => {
    const { id } = await answer({ model: "hello", input: "One" });
    for (const path of [id, `${id}/input_items`]) {
      expect((await at(path, "GET", { key: OTHER_KEY })).status).toBe(404);
    }
    expect((await at(id, "DELETE", { key: OTHER_KEY })).status).toBe(404);
    expect(await errorOf(await at(`${id}/cancel`, "POST"))).toMatchObject({
      status: 400,
      code: "invalid_value",
    });
    expect((await at(`${id}/cancel`, "POST", { key: OTHER_KEY })).status).toBe(404);
    expect((await at(id)).status).toBe(200);
  });

  test.each([
    ["POST", "", "GET, HEAD, DELETE"],
    ["POST", "/input_items", "GET, HEAD"],
    ["DELETE", "/input_items", "GET, HEAD"],
    ["GET", "/cancel", "POST"],
    ["DELETE", "/cancel", "POST"],
  ])("is not for %s%s, which a 405 says with the methods that are", async (method, path, allow) => {
    const { id } = await answer({ model: "hello", input: "One" });
    const refused = await at(id + path, method);
    expect(refused.headers.get("allow")).toBe(allow);
    expect(await errorOf(refused)).toMatchObject({ status: 405, code: "method_not_allowed" });
    expect((await at(id)).status).toBe(200);
  });

  test.each(["input_tokens", "compact"])("%s isn't served, which a 404 says in words", async (path) => {
    expect(await errorOf(await at(path, "POST"))).toMatchObject({
      status: 404,
      code: "unknown_url",
      message: expect.stringContaining(path),
    });
  });

  test("is found by the openai package", async () => {
    const client = new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 });
    const { id } = await client.responses.create({ model: "hello", input: "One" });
    expect((await client.responses.retrieve(id)).output_text).toBe("Hello, world");
    const items = [];
    for await (const item of client.responses.inputItems.list(id)) items.push(item);
    expect(items).toHaveLength(1);
    await client.responses.delete(id);
    expect(await client.responses.retrieve(id).catch((error: unknown) => error)).toMatchObject({
      status: 404,
    });
  });
});

test("a WebSocket is refused with a status by which Codex goes on by HTTP", async () => {
  const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
  const response = await fetch(`${gateway.baseURL}/responses`, { headers });
  expect([response.headers.get("upgrade"), await errorOf(response)]).toMatchObject([
    "HTTP/1.1",
    { status: 426, code: "upgrade_required" },
  ]);
});
