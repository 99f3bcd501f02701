import { afterAll, describe, expect, test } from "bun:test";
import OpenAI, {
  APIConnectionError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from "openai";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { closedGate } from "../support/gate.ts";
import { rejection } from "../support/rejection.ts";
import type { Answers } from "../support/scripted-gateway.ts";
import { HELLO, say, startScripted, stop } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * The official client where something fails, and where it leaves.
 * @module
 */
const ANSWERS: Answers = {
  hello: HELLO,
  mirror: [{ mirror: true }, stop()],
  "breaks-off": [say("Once upon"), { fail: "failed", message: "the engine caught fire" }],
  truncated: [say("Once upon a")],
  "too-long": [{ fail: "context-length", message: "9,000 tokens are too many", param: "messages" }],
  "bad-field": [{ fail: "bad-request", message: "temperature must be at most 2", param: "temperature" }],
  limited: [{ fail: "rate-limited", message: "slow down", retryAfterMs: 1_500 }],
  down: [{ fail: "unavailable", message: "nobody is at home" }],
  "down-once": [{ fail: "unavailable", message: "a moment", retryAfterMs: 10, times: 1 }, ...HELLO],
  buggy: [{ bug: "undefined is not a function: secret-of-the-plugin" }],
  "buggy-late": [say("So"), { bug: "undefined is not a function: secret-of-the-plugin" }],
  silent: [{ hang: true }],
  "falls-silent": [say("Well"), { hang: true }],
};

const KEYS = `
keys:
  - { name: all, key: sk-all-0123456789 }
  - { name: few, key: sk-few-0123456789, models: [hello] }
  - { name: old, key: sk-old-0123456789, expires: 2020-01-01 }
`;

const question: ChatCompletionMessageParam[] = [{ role: "user", content: "Well?" }];

const gateway = await startScripted(ANSWERS, { yaml: KEYS });
const client = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-all-0123456789", maxRetries: 0 });
afterAll(() => gateway[Symbol.asyncDispose]());

describe("errors", () => {
  test("a wrong key is an AuthenticationError", async () => {
    const stranger = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-wrong", maxRetries: 0 });
    const error = await rejection(
      stranger.chat.completions.create({ model: "hello", messages: question }),
      AuthenticationError,
    );
    expect(error).toMatchObject({ status: 401, code: "invalid_api_key", type: "invalid_request_error" });
    expect(error.requestID).toMatch(/^req_/);
  });

  test("a key that has expired, or may not use the model, is a PermissionDeniedError", async () => {
    const old = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-old-0123456789", maxRetries: 0 });
    expect(await rejection(old.models.list(), PermissionDeniedError)).toMatchObject({ code: "key_expired" });
    const few = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-few-0123456789", maxRetries: 0 });
    const denied = few.chat.completions.create({ model: "mirror", messages: question });
    expect(await rejection(denied, PermissionDeniedError)).toMatchObject({
      code: "model_not_allowed",
      param: "model",
    });
  });

  test("an unknown model is a NotFoundError that names the nearest ones", async () => {
    for (const stream of [false, true]) {
      const error = await rejection(
        client.chat.completions.create({ model: "helo", messages: question, stream }),
        NotFoundError,
      );
      expect(error).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
      expect(error.message).toContain('did you mean "hello"');
    }
  });

  test("a field of the wrong kind is a BadRequestError that names it", async () => {
    const wrong = client.chat.completions.create({
      model: "hello",
      messages: [...question, { role: "user", content: 7 as never }],
    });
    expect(await rejection(wrong, BadRequestError)).toMatchObject({
      code: "invalid_value",
      param: "messages[1].content",
    });
    const missing = client.chat.completions.create({ model: "hello" } as never);
    expect(await rejection(missing, BadRequestError)).toMatchObject({
      code: "missing_required_parameter",
      param: "messages",
    });
  });

  test.each([
    ["too-long", BadRequestError, { code: "context_length_exceeded", param: "messages" }],
    ["bad-field", BadRequestError, { code: "invalid_value", param: "temperature" }],
    ["limited", RateLimitError, { status: 429, code: "rate_limit_exceeded" }],
    ["down", InternalServerError, { status: 503, code: "upstream_unavailable" }],
    ["buggy", InternalServerError, { status: 502, code: "upstream_bad_response" }],
    ["truncated", InternalServerError, { status: 502, code: "upstream_truncated" }],
    ["breaks-off", InternalServerError, { status: 502, code: "upstream_error" }],
  ] as const)("%s fails with its status when nothing was sent", async (model, type, expected) => {
    const error = await rejection(client.chat.completions.create({ model, messages: question }), type);
    expect(error).toMatchObject(expected);
    expect(error.message).not.toContain("secret-of-the-plugin");
  });

  test("a stream that fails before its first event has the failure's status", async () => {
    const stream = client.chat.completions.create({ model: "limited", messages: question, stream: true });
    const error = await rejection(stream, RateLimitError);
    // What is left of the 1.5 s for which the upstream wants to be left alone.
    expect(["1", "2"]).toContain(error.headers.get("retry-after") ?? "");
  });

  test.each([
    ["breaks-off", "Once upon", "the engine caught fire", "upstream_error"],
    ["truncated", "Once upon a", "the upstream's answer broke off before its end", "upstream_truncated"],
    ["buggy-late", "So", 'the plugin "scripted" of upstream "scripted" failed', "upstream_bad_response"],
  ])(
    "%s: a failure in mid-stream is raised after what came before it",
    async (model, said, message, code) => {
      const stream = await client.chat.completions.create({ model, messages: question, stream: true });
      let heard = "";
      const reading = (async () => {
        for await (const chunk of stream) heard += chunk.choices[0]?.delta.content ?? "";
      })();
      const error = await rejection(reading, APIError);
      expect(heard).toBe(said);
      expect(error.message).toContain(message);
      expect(error.code).toBe(code);
    },
  );

  test("a retry-after that the SDK obeys: a 503, then the answer", async () => {
    const patient = new OpenAI({ baseURL: gateway.baseURL, apiKey: "sk-all-0123456789", maxRetries: 1 });
    const before = gateway.status().begun;
    const answer = await patient.chat.completions.create({ model: "down-once", messages: question });
    expect(answer.choices[0]?.message.content).toBe("Hello, world");
    expect(gateway.status().begun - before).toBe(2);
  });
});

describe("leaving", () => {
  test("abort before the first event ends the upstream's work", async () => {
    for (const stream of [false, true]) {
      const leaving = new AbortController();
      const before = gateway.status().begun;
      const answer = client.chat.completions.create(
        { model: "silent", messages: question, stream },
        { signal: leaving.signal },
      );
      const failed = rejection(answer, APIUserAbortError);
      await until(() => gateway.status().begun > before, "the upstream's work to begin");
      leaving.abort();
      await failed;
      await gateway.quiet();
    }
  });

  test("abort in mid-stream ends the upstream's work", async () => {
    const stream = await client.chat.completions.create({
      model: "falls-silent",
      messages: question,
      stream: true,
    });
    for await (const chunk of stream) {
      expect(chunk.choices[0]?.delta.content).toBe("Well");
      stream.controller.abort();
    }
    await gateway.quiet();
  });

  test("breaking out of the loop ends the upstream's work", async () => {
    const stream = await client.chat.completions.create({
      model: "falls-silent",
      messages: question,
      stream: true,
    });
    for await (const _ of stream) break;
    await gateway.quiet();
  });

  test("a client that gives up waiting ends the upstream's work", async () => {
    const hasty = new OpenAI({
      baseURL: gateway.baseURL,
      apiKey: "sk-all-0123456789",
      timeout: 100,
      maxRetries: 0,
    });
    const answer = hasty.chat.completions.create({ model: "silent", messages: question });
    await rejection(answer, APIConnectionError);
    await gateway.quiet();
  });

  test("each event reaches the client as it comes", async () => {
    await using gate = closedGate();
    await using paced = await startScripted({
      paced: [say("first"), { gate: gate.url }, say(" last"), stop()],
    });
    const reader = new OpenAI({ baseURL: paced.baseURL, apiKey: paced.key });
    const stream = await reader.chat.completions.create({ model: "paced", messages: question, stream: true });
    const heard: string[] = [];
    for await (const chunk of stream) {
      const { content } = chunk.choices[0]?.delta ?? {};
      if (content) heard.push(content);
      // Only what has already arrived lets the upstream go on.
      if (content === "first") gate.open();
    }
    expect(heard).toEqual(["first", " last"]);
  });
});
