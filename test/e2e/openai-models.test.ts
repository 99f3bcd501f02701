import { afterAll, expect, test } from "bun:test";
import OpenAI, { NotFoundError } from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { rejection } from "../support/rejection.ts";
import type { Answers } from "../support/scripted-gateway.ts";
import { HELLO, say, startScripted, stop } from "../support/scripted-gateway.ts";

/**
 * The official client's ways to find models.
 * @module
 */
const ANSWERS: Answers = {
  hello: HELLO,
  "vendor/family/model:free": [say("slashes"), stop()],
};

const KEYS = `
keys:
  - { name: all, key: sk-all-0123456789 }
  - { name: few, key: sk-few-0123456789, models: [hello] }
`;

const question: ChatCompletionMessageParam[] = [{ role: "user", content: "Well?" }];

const gateway = await startScripted(ANSWERS, { yaml: KEYS });
const client = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-all-0123456789", maxRetries: 0 });
afterAll(() => gateway[Symbol.asyncDispose]());

test("models.list lists what the key may use", async () => {
  const ids = (await Array.fromAsync(client.models.list())).map(({ id }) => id);
  expect(ids.toSorted()).toEqual(Object.keys(ANSWERS).toSorted());
  const few = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-few-0123456789" });
  expect((await few.models.list()).data).toEqual([
    { id: "hello", object: "model", created: 1_700_000_000, owned_by: "script" },
  ]);
});

test("models.retrieve knows a model by its id, slashes and all", async () => {
  expect(await client.models.retrieve("hello")).toMatchObject({ id: "hello", object: "model" });
  expect((await client.models.retrieve("vendor/family/model:free")).id).toBe("vendor/family/model:free");
  await rejection(client.models.retrieve("nobody"), NotFoundError);
});

test("a model fetched by its address is the one that the list names so", async () => {
  const address = "scripted/vendor/family/model:free";
  expect(await client.models.retrieve(address)).toMatchObject({ id: address, owned_by: "script" });
  await rejection(client.models.retrieve("scripted/nobody"), NotFoundError);
});

test("a model id with slashes is answered, also when it is addressed by its upstream", async () => {
  for (const model of ["vendor/family/model:free", "scripted/vendor/family/model:free"]) {
    const answer = await client.chat.completions.create({ model, messages: question });
    expect(answer.choices[0]?.message.content).toBe("slashes");
  }
});
