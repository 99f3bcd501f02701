import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { JsonObject } from "modelyard/plugin";
import { REQUIRED, checkResponsesStream } from "../support/responses-stream.ts";
import type { ScriptedGateway } from "../support/scripted-gateway.ts";
import { HELLO, spent, startScripted } from "../support/scripted-gateway.ts";

/**
 * The checks of the Open Responses acceptance suite that go over HTTP, written anew from its published schema.
 * https://www.openresponses.org
 * @module
 */

let gateway: ScriptedGateway;
beforeAll(async () => {
  gateway = await startScripted({
    talks: HELLO,
    calls: [
      { type: "tool-call", index: 0, id: "call_1", name: "get_weather", arguments: '{"location":"SF"}' },
      { type: "finish", reason: "tool_calls" },
      spent(9, 5),
    ],
  });
});
afterAll(() => gateway[Symbol.asyncDispose]());

const user = (content: unknown) => ({ type: "message", role: "user", content });
const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "Get the current weather for a location",
  parameters: { type: "object", properties: { location: { type: "string" } }, required: ["location"] },
};
const PICTURE = { type: "input_image", image_url: "data:image/png;base64,aGk=" };

const CHECKS: Readonly<Record<string, { readonly body: object; readonly item: string }>> = {
  "basic response": { body: { model: "talks", input: [user("Say hello.")] }, item: "message" },
  "system prompt": {
    body: {
      model: "talks",
      input: [{ type: "message", role: "system", content: "You are a pirate." }, user("Say hello.")],
    },
    item: "message",
  },
  "tool calling": {
    body: { model: "calls", input: [user("The weather?")], tools: [WEATHER] },
    item: "function_call",
  },
  "image input": {
    body: { model: "talks", input: [user([{ type: "input_text", text: "What is it?" }, PICTURE])] },
    item: "message",
  },
  "multi-turn": {
    body: {
      model: "talks",
      input: [
        user("My name is Alice."),
        { type: "message", role: "assistant", content: "Hello Alice!", phase: "final_answer" },
        user("What is my name?"),
      ],
    },
    item: "message",
  },
};

/** What the schema says of the members whose kind it fixes. */
const KINDS: Readonly<Record<string, string>> = {
  id: "string",
  created_at: "number",
  status: "string",
  model: "string",
  truncation: "string",
  parallel_tool_calls: "boolean",
  top_p: "number",
  presence_penalty: "number",
  frequency_penalty: "number",
  top_logprobs: "number",
  temperature: "number",
  store: "boolean",
  background: "boolean",
  service_tier: "string",
  metadata: "object",
  usage: "object",
};

function expectResource(response: JsonObject, item: string): void {
  for (const name of REQUIRED) expect(response).toHaveProperty(name);
  for (const [name, kind] of Object.entries(KINDS))
    expect([name, typeof response[name]]).toEqual([name, kind]);
  expect(response).toMatchObject({ object: "response", status: "completed", error: null });
  const output = response["output"] as JsonObject[];
  expect(output.map(({ type }) => type)).toContain(item);
  for (const each of output) expect([each["id"], each["status"]]).toEqual([expect.any(String), "completed"]);
  for (const tool of response["tools"] as JsonObject[]) {
    for (const name of ["type", "name", "description", "parameters", "strict"])
      expect(tool).toHaveProperty(name);
  }
  expect(response["usage"]).toMatchObject({
    input_tokens: expect.any(Number),
    output_tokens: expect.any(Number),
    total_tokens: expect.any(Number),
    input_tokens_details: { cached_tokens: expect.any(Number) },
    output_tokens_details: { reasoning_tokens: expect.any(Number) },
  });
}

async function ask(body: object): Promise<string> {
  const response = await fetch(`${gateway.baseURL}/responses`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return response.text();
}

describe.each(Object.entries(CHECKS))("%s", (_, { body, item }) => {
  test("plain", async () => {
    expectResource(JSON.parse(await ask({ ...body, stream: false })) as JsonObject, item);
  });

  test("streamed", async () => {
    const { response, events } = checkResponsesStream(await ask({ ...body, stream: true }));
    expectResource(response as unknown as JsonObject, item);
    const types = events.map(({ type }) => type);
    const own = item === "message" ? "output_text" : "function_call_arguments";
    for (const step of ["delta", "done"]) expect(types as string[]).toContain(`response.${own}.${step}`);
    for (const step of ["added", "done"]) expect(types as string[]).toContain(`response.output_item.${step}`);
  });
});
