import { describe, expect, test } from "bun:test";
import { errorFromBody, errorFromResponse } from "./errors.ts";

function failed(status: number, body: unknown, headers: Record<string, string> = {}) {
  const { code, message, param, retryAfterMs } = errorFromResponse(
    status,
    new Headers(headers),
    typeof body === "string" ? body : JSON.stringify(body),
  );
  return { code, message, param, retryAfterMs };
}

const openai = (message: string, code: string | null = null) => ({
  error: { message, type: "invalid_request_error", param: null, code },
});

describe("the status of an answer says what failed", () => {
  test.each([
    [301, "bad-response"],
    [400, "bad-request"],
    [401, "rejected"],
    [402, "out-of-credit"],
    [403, "bad-request"],
    [404, "bad-request"],
    [405, "bad-request"],
    [407, "unreachable"],
    [408, "timeout"],
    [409, "bad-request"],
    [413, "too-large"],
    [422, "bad-request"],
    [429, "rate-limited"],
    [451, "bad-request"],
    [500, "failed"],
    [502, "failed"],
    [503, "unavailable"],
    [504, "timeout"],
    [529, "unavailable"],
  ] as const)("%d is %s", (status, code) => {
    expect(failed(status, openai("no")).code).toBe(code);
  });
});

describe("what the body says refines it", () => {
  test("a text that moderation flags is the client's fault, not the key's", () => {
    const message = 'Your chosen model requires moderation and your input was flagged for "violence".';
    expect(failed(403, { error: { code: 403, message } }).code).toBe("content-filter");
    expect(failed(403, { error: { code: 403, message: "This key is disabled" } }).code).toBe("rejected");
  });

  test.each([
    [400, openai("too long", "context_length_exceeded")],
    [400, openai("This model's maximum context length is 8192 tokens. However, you requested 9000.")],
    [
      400,
      { type: "error", error: { type: "invalid_request_error", message: "prompt is too long: 201 > 200" } },
    ],
    [
      400,
      {
        error: {
          code: 400,
          message: "The input token count (9) exceeds the maximum number of tokens",
          status: "INVALID_ARGUMENT",
        },
      },
    ],
    [
      400,
      { error: { code: 400, message: "request (9 tokens) is too large", type: "exceed_context_size_error" } },
    ],
    [413, { error: { message: "Please reduce the length of the messages or completion." } }],
    [422, { object: "error", message: "exceeds the model's context window" }],
  ])("a conversation that is too long: %d %j", (status, body) => {
    expect(failed(status, body).code).toBe("context-length");
  });

  test.each([
    [404, openai("The model `x` does not exist", "model_not_found")],
    [403, openai("Project has no access to x", "model_not_found")],
    [404, { type: "error", error: { type: "not_found_error", message: "model: x" } }],
    [404, { error: 'model "x" not found, try pulling it first' }],
    [
      404,
      [{ error: { code: 404, message: "models/x is not found for API version v1", status: "NOT_FOUND" } }],
    ],
    [400, openai("x is not a valid model ID")],
    [400, openai("Model Not Exist")],
    [404, { error: { code: "DeploymentNotFound", message: "The API deployment does not exist" } }],
  ])("a model that isn't there: %d %j", (status, body) => {
    expect(failed(status, body).code).toBe("no-such-model");
  });

  test("a key that Google finds wrong with 400", () => {
    const error = {
      code: 400,
      message: "API key not valid. Please pass a valid API key.",
      status: "INVALID_ARGUMENT",
    };
    expect(failed(400, { error }).code).toBe("rejected");
  });

  test("but a limit on tokens per minute stays a limit", () => {
    expect(failed(429, openai("Request too large: reduce the length of the messages")).code).toBe(
      "rate-limited",
    );
  });
});

const SAID_NOTHING = "the upstream answered with status 500 and no message";

describe("the message is the upstream's own", () => {
  test.each([
    ["OpenAI", openai("said"), "said"],
    ["Anthropic", { type: "error", error: { type: "api_error", message: "said" } }, "said"],
    ["Google", [{ error: { code: 500, message: "said", status: "INTERNAL" } }], "said"],
    ["FastAPI", { detail: "said" }, "said"],
    ["FastAPI's list", { detail: [{ loc: ["body", "n"], msg: "said" }, { msg: "more" }] }, "n: said; more"],
    ["Mistral", { object: "error", message: { detail: [{ msg: "said" }] } }, "said"],
    ["a text in `error`", { error: "said" }, "said"],
    ["plain text", " said\n  so ", "said so"],
    ["a page with a title", "<!DOCTYPE html><html><head><title>said</title></head><body>x", SAID_NOTHING],
    ["a page without one", "<html><style>p {}</style><p>said\n<b>so</b></p></html>", SAID_NOTHING],
    ["text with signs of comparison", "1 < 2 > 0", "1 < 2 > 0"],
    ["an unknown shape", { oops: 1 }, SAID_NOTHING],
    ["nothing", "", SAID_NOTHING],
    ["an empty object", {}, SAID_NOTHING],
  ])("from %s", (_from, body, message) => {
    expect(failed(500, body).message).toBe(message);
  });

  test("on one line, and whole: the gateway cuts it after it has taken the secrets out", () => {
    const { message } = failed(500, openai(`x${"\u{1F600}\n".repeat(1000)}`));
    expect(message).toBe(`x${"\u{1F600} ".repeat(1000)}`.trim());
  });

  test("also from 64 KiB of nothing but brackets, in a moment", () => {
    expect(failed(500, `<html>${"<".repeat(64 * 1024)}`).message.length).toBeGreaterThan(0);
    expect(failed(500, "[".repeat(64 * 1024)).message.length).toBe(8_000);
  });

  test("with the field at fault", () => {
    expect(failed(400, { error: { message: "no", param: "messages[0].role" } }).param).toBe(
      "messages[0].role",
    );
    const detail = [{ loc: ["body", "messages", 0, "role"], msg: "no" }];
    expect(failed(422, { detail }).param).toBe("messages[0].role");
    expect(failed(400, openai("no")).param).toBeUndefined();
  });

  test("with the field of each of several complaints, wherever they stand", () => {
    const detail = [
      { loc: ["body", "messages", 1, "assistant", "refusal"], msg: "Extra inputs are not permitted" },
      { loc: ["body", "n"], msg: "Input should be 1" },
    ];
    const message = "messages[1].assistant.refusal: Extra inputs are not permitted; n: Input should be 1";
    for (const body of [
      { detail },
      { object: "error", message: { detail } },
      { error: { message: { detail } } },
    ]) {
      expect(failed(422, body)).toMatchObject({ message, param: "messages[1].assistant.refusal" });
    }
  });
});

describe("retry-after", () => {
  test.each([
    [{ "retry-after": "2" }, 2000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after": "0" }, 0],
    [{ "retry-after-ms": "150", "retry-after": "9" }, 150],
    [{ "retry-after-ms": "soon", "retry-after": "9" }, 9000],
    [{ date: "Mon, 23 Nov 2026 10:00:00 GMT", "retry-after": "Mon, 23 Nov 2026 10:01:30 GMT" }, 90_000],
    [{ date: "Mon, 23 Nov 2026 10:00:00 GMT", "retry-after": "Mon, 23 Nov 2026 09:00:00 GMT" }, 0],
    [{ "retry-after": "-1" }, undefined],
    [{ "retry-after": "later" }, undefined],
    [{ "retry-after": "9".repeat(400) }, undefined],
    [{}, undefined],
  ] as [Record<string, string>, number | undefined][])("%j is %p ms", (headers, expected) => {
    expect(failed(429, "", headers).retryAfterMs).toBe(expected);
    expect(failed(503, "", headers).retryAfterMs).toBe(expected);
  });

  test("is counted from now where the answer has no date", () => {
    const inAnHour = new Date(Date.now() + 3_600_000).toUTCString();
    const ms = failed(429, "", { "retry-after": inAnHour }).retryAfterMs ?? 0;
    expect(Math.abs(ms - 3_600_000)).toBeLessThan(5000);
  });
});

describe("what Google's error details say", () => {
  const google = (status: number, word: string, details: object[]): string =>
    JSON.stringify([{ error: { code: status, message: "x", status: word, details } }]);

  test("is when to come back, unless a header does", () => {
    const body = google(429, "RESOURCE_EXHAUSTED", [{ violations: [] }, { retryDelay: "34.0741s" }]);
    expect(failed(429, body)).toMatchObject({ code: "rate-limited", retryAfterMs: 34_075 });
    expect(failed(429, body, { "retry-after": "2" }).retryAfterMs).toBe(2000);
    expect(errorFromBody(JSON.parse(body))).toMatchObject({ code: "rate-limited", retryAfterMs: 34_075 });
  });

  test.each([["later"], ["-1s"], [3], [null]])("is not a delay of %j", (retryDelay) => {
    expect(failed(429, google(429, "RESOURCE_EXHAUSTED", [{ retryDelay }])).retryAfterMs).toBeUndefined();
  });

  test("is that the key is wrong, though the status is 400", () => {
    const body = google(400, "INVALID_ARGUMENT", [{ reason: "API_KEY_INVALID" }]);
    expect(failed(400, body).code).toBe("rejected");
    expect(failed(400, google(400, "INVALID_ARGUMENT", [{ reason: "OTHER" }])).code).toBe("bad-request");
  });
});

describe("an error object that came without a status", () => {
  test.each([
    [{ error: { message: "x", code: 429 } }, "rate-limited"],
    [{ error: { message: "x", code: "429" } }, "rate-limited"],
    [{ error: { message: "x", status: 503 } }, "unavailable"],
    [{ error: { message: "x", type: "rate_limit_error" } }, "rate-limited"],
    [{ error: { message: "x", type: "server_error", code: "rate_limit_exceeded" } }, "rate-limited"],
    [{ type: "error", error: { type: "overloaded_error", message: "x" } }, "unavailable"],
    [
      { error: { message: "x", type: "invalid_request_error", code: "context_length_exceeded" } },
      "context-length",
    ],
    [{ error: { message: "x", code: "model_not_found" } }, "no-such-model"],
    [{ error: { message: "x", code: 400, type: "BadRequestError" } }, "bad-request"],
    [{ object: "error", message: "x", code: 401 }, "rejected"],
    [{ error: { message: "x", status: "DEADLINE_EXCEEDED", code: 504 } }, "timeout"],
    [{ error: { message: "x", code: 50001 } }, "failed"],
    [{ error: "x" }, "failed"],
    ["x", "failed"],
  ] as const)("%j", (body, code) => {
    expect(errorFromBody(body)).toMatchObject({ code, message: "x" });
  });
});
