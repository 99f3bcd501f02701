import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { UpstreamErrorCode } from "modelyard/plugin";
import { FAILURES } from "modelyard/plugin";
import type { Exchange, FaultUpstream } from "../support/fault-upstream.ts";
import { openaiChunks, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import { forwardTo, tries } from "../support/forward-gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { HELLO, say, SCRIPTED_PLUGIN, scriptedUpstream, startScripted } from "../support/scripted-gateway.ts";
import { parseFrames, readFrames, textOf } from "../support/sse-frames.ts";

/**
 * The first event commits: until then a failure costs the client nothing but time, after it nothing is begun
 * again.
 * @module
 */
const EVENT_STREAM = { "content-type": "text/event-stream" };
const [ROLE = "", FIRST = ""] = openaiChunks("Hello");
const streamed = { model: "m", stream: true, messages: [{ role: "user", content: "Hi" }] };
const CHUNK = `{"id":"x","object":"chat.completion.chunk","created":1,"model":"m"`;

let first: FaultUpstream;
let second: FaultUpstream;
let gateway: RunningGateway;

beforeAll(async () => {
  first = await startFaultUpstream();
  second = await startFaultUpstream();
  gateway = await startGateway(
    `${tries(2)}upstreams:\n${forwardTo("first", first.url)}${forwardTo("second", second.url)}`,
  );
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
});

let asked = { first: 0, second: 0 };

beforeEach(() => {
  asked = { first: 0, second: 0 };
  second.respond = (exchange) => {
    asked.second += 1;
    exchange.send(sseAnswer(openaiChunks("from the second")));
  };
});

function firstDoes(respond: (exchange: Exchange) => void): void {
  first.respond = (exchange) => {
    asked.first += 1;
    respond(exchange);
  };
}

/** What says nothing of an answer, one after the other, and then the end of the connection. */
const NOTHING_SAID: Readonly<Record<string, string>> = {
  "nothing at all": "",
  "a comment": ": thinking\n\n",
  "a role": ROLE,
  "a usage": `data: ${CHUNK},"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":0}}\n\n`,
  "a fingerprint": `data: ${CHUNK},"choices":[],"system_fingerprint":"f"}\n\n`,
  "an empty delta": `data: ${CHUNK},"choices":[{"index":0,"delta":{},"finish_reason":null}]}\n\n`,
  "an error": `data: {"error":{"message":"overloaded"}}\n\n`,
};

test.each(Object.entries(NOTHING_SAID))("an upstream that said %s and fails is replaced", async (_, said) => {
  firstDoes((exchange) => {
    exchange.head(200, EVENT_STREAM);
    exchange.chunk(said);
    exchange.close();
  });
  const response = await gateway.chat(streamed);
  expect(response.status).toBe(200);
  expect(response.headers.get("x-modelyard-attempts")).toBe("2");
  expect(response.headers.get("x-modelyard-upstream")).toBe("second");
  expect(textOf(await readFrames(response))).toBe("from the second");
  expect(asked).toEqual({ first: 1, second: 1 });
});

test("an upstream that refuses the connection, or answers with 500, is replaced", async () => {
  for (const fail of [
    (exchange: Exchange) => exchange.reset(),
    (exchange: Exchange) => {
      exchange.head(500);
      exchange.end();
    },
  ]) {
    firstDoes(fail);
    const response = await gateway.chat(streamed);
    expect(response.headers.get("x-modelyard-attempts")).toBe("2");
    expect(textOf(await readFrames(response))).toBe("from the second");
  }
});

/** What is part of an answer, whoever else might give another. */
const SAID: Readonly<Record<string, string>> = {
  "a text": FIRST,
  reasoning: `data: ${CHUNK},"choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}\n\n`,
  "the beginning of a tool call": `data: ${CHUNK},"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":null}]}\n\n`,
  "a refusal": `data: ${CHUNK},"choices":[{"index":0,"delta":{"refusal":"no"},"finish_reason":null}]}\n\n`,
};

test.each(Object.entries(SAID))(
  "an upstream that said %s and fails is not replaced, and the client is told",
  async (_, said) => {
    const begun = Promise.withResolvers<Exchange>();
    firstDoes((exchange) => {
      exchange.head(200, EVENT_STREAM);
      exchange.chunk(ROLE + said);
      begun.resolve(exchange);
    });
    const response = await gateway.chat(streamed);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-modelyard-attempts")).toBe("1");
    // Not before: what comes together with the end of its connection may be lost.
    (await begun.promise).close();
    const { data } = await readFrames(response);
    expect(JSON.parse(data.at(-1) ?? "")).toMatchObject({ error: { code: "upstream_truncated" } });
    expect(data).not.toContain("[DONE]");
    expect(asked).toEqual({ first: 1, second: 0 });
  },
);

test("when all have failed the client gets the last failure's status, and when the first is back", async () => {
  await using limited = await startFaultUpstream();
  await using gate = await startGateway(
    `${tries(2)}upstreams:\n${forwardTo("slow", limited.url)}${forwardTo("quick", limited.url)}`,
  );
  const waits = ["9", "7"];
  limited.respond = (exchange) => {
    exchange.head(429, { "retry-after": waits.shift() ?? "0" });
    exchange.end();
  };
  const response = await gate.chat(streamed);
  expect([response.status, response.headers.get("retry-after")]).toEqual([429, "7"]);
  expect(limited.requests).toHaveLength(2);
});

describe("a plugin's failure", () => {
  const codes = Object.keys(FAILURES) as UpstreamErrorCode[];
  const answers = Object.fromEntries(
    codes.flatMap((code) => [
      [code, [{ fail: code, message: `this is ${code}`, param: "temperature" }]],
      [`late-${code}`, [say("Hello"), { fail: code, message: `this is ${code}` }]],
    ]),
  );

  /** What the gateway says in its own words, since the upstream's are about the gateway. */
  const OURS: readonly string[] = ["rejected", "out-of-credit", "no-credential"];

  test.each(codes)("%s is the status and code of the table, streamed and plain", async (code) => {
    await using scripted = await startScripted(answers);
    const { status, wire } = FAILURES[code];
    for (const stream of [true, false]) {
      const response = await scripted.chat({ ...streamed, stream, model: code });
      const { error } = (await response.json()) as { error: object };
      expect(response.status).toBe(status);
      const message = OURS.includes(code) ? /"scripted"/ : new RegExp(`^this is ${code}$`);
      expect(error).toMatchObject({
        code: wire,
        message: expect.stringMatching(message),
        param: "temperature",
      });
      expect(response.headers.has("retry-after")).toBe(status === 429 || status === 503);
    }
    const late = parseFrames(await (await scripted.chat({ ...streamed, model: `late-${code}` })).text());
    expect(JSON.parse(late.data.at(-1) ?? "")).toMatchObject({ error: { code: wire } });
    expect(late.data).not.toContain("[DONE]");
  });

  test.each(codes)("%s goes to the next target if the table says so", async (code) => {
    await using scripted = await startGateway(
      `${tries(2)}${scriptedUpstream(answers)}
  second: ${JSON.stringify({ plugin: "./scripted.ts", options: { answers: { good: HELLO } } })}
routes:
  - model: m
    targets: [{ upstream: scripted, model: ${code} }, { upstream: second, model: good }]
`,
      { files: { "scripted.ts": SCRIPTED_PLUGIN } },
    );
    for (const stream of [true, false]) {
      const response = await scripted.chat({ ...streamed, stream });
      expect(response.ok).toBe(FAILURES[code].mayTryNext);
      if (response.ok) expect(await response.text()).toContain("world");
    }
  });
});
