import { expect, test } from "bun:test";
import { GatewayError } from "../../../errors/gateway-error.ts";
import { parseChatRequest } from "./request.ts";

const messages = [{ role: "user", content: "Hi" }];

function refused(body: unknown): Pick<GatewayError, "code" | "param" | "message"> {
  try {
    parseChatRequest(body);
  } catch (error) {
    if (error instanceof GatewayError)
      return { code: error.code, param: error.param, message: error.message };
    throw error;
  }
  throw new Error("it was accepted");
}

/** What an upstream is asked. */
function asked(body: unknown): object {
  const request = parseChatRequest(body);
  return Object.fromEntries(request.names().map((name) => [name, request.member(name)]));
}

test("fields that the core doesn't know travel on untouched", () => {
  const body = JSON.parse(
    '{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}],"name":"n"}],"x_vendor":{"a":[1]},"__proto__":{"polluted":true}}',
  ) as unknown;
  expect(JSON.stringify(asked(body))).toBe(JSON.stringify(body));
});

test("nulls, as clients write them for what they leave out, are fine", () => {
  const body = {
    model: "m",
    messages: [{ role: "assistant", content: null }],
    stream: null,
    n: null,
    stream_options: null,
  };
  expect(asked(body)).toEqual(body);
});

test.each([
  [{ messages }, "missing_required_parameter", "model"],
  [{ model: "m" }, "missing_required_parameter", "messages"],
  [{ input: "Hi" }, "missing_required_parameter", "model"],
  [{ messages: null, input: "Hi", model: "m" }, "invalid_value", "messages"],
  [{ model: "", messages }, "invalid_value", "model"],
  [{ model: 7, messages }, "invalid_value", "model"],
  [{ model: "m".repeat(257), messages }, "invalid_value", "model"],
  [{ model: "m", messages: [] }, "invalid_value", "messages"],
  [{ model: "m", messages: "Hi" }, "invalid_value", "messages"],
  [{ model: "m", messages: ["Hi"] }, "invalid_value", "messages[0]"],
  [{ model: "m", messages: [{ content: "Hi" }] }, "missing_required_parameter", "messages[0].role"],
  [{ model: "m", messages: [{ role: "user", content: 7 }] }, "invalid_value", "messages[0].content"],
  [
    { model: "m", messages: [{ role: "user", content: [{}] }] },
    "missing_required_parameter",
    "messages[0].content[0].type",
  ],
  [{ model: "m", messages, stream: "yes" }, "invalid_value", "stream"],
  [{ model: "m", messages, n: 0 }, "invalid_value", "n"],
  [{ model: "m", messages, n: 1.5 }, "invalid_value", "n"],
  [{ model: "m", messages, stream_options: true }, "invalid_value", "stream_options"],
] as const)("%j is refused as %s of %s", (body, code, param) => {
  expect(refused(body)).toMatchObject({ code, param });
});

test.each([[null], ["text"], [7], [[]]])("a body that is %j is no request", (body) => {
  expect(refused(body).message).toContain("the body must be a JSON object");
});

test("usage is told by every plain answer, and by a streamed one when include_usage is true", () => {
  const isTold = (options: unknown, stream = true) =>
    parseChatRequest({ model: "m", messages, stream, stream_options: options }).includeUsage;
  expect([
    isTold({ include_usage: true }),
    isTold({ include_usage: false }),
    isTold({}),
    isTold(null),
    isTold(undefined),
  ]).toEqual([true, false, false, false, false]);
  expect([isTold({ include_usage: false }, false), isTold(undefined, false)]).toEqual([true, true]);
});
