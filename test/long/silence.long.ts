import { describe, expect, test } from "bun:test";
import type { Exchange, FaultUpstream } from "../support/fault-upstream.ts";
import { openaiChunks, sseAnswer, startFaultUpstream } from "../support/fault-upstream.ts";
import { forwardTo, startForward, tries } from "../support/forward-gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { parseFrames, readFrames, textOf } from "../support/sse-frames.ts";
import { withinMs } from "../support/until.ts";

/**
 * Nobody waits for ever: silence has deadlines, and while they run, a client hears that it is not forgotten.
 * @module
 */
const EVENT_STREAM = { "content-type": "text/event-stream" };
const FRAMES = openaiChunks("Hello");
const [ROLE = "", FIRST = "", FINISH = ""] = FRAMES;
const COMMENT = ": keep-alive\n\n";
const plain = { model: "m", messages: [{ role: "user", content: "Hi" }] };
const streamed = { ...plain, stream: true };

/** Says so much of an answer and then nothing more. */
function fallsSilentAfter(said: string) {
  return (exchange: Exchange) => {
    exchange.head(200, EVENT_STREAM);
    exchange.chunk(said);
  };
}

describe("early headers", () => {
  const early = { limits: { earlyHeaders: 20 } };

  test("go out with a comment while the upstream is silent, without what isn't known yet", async () => {
    await using upstream = await startFaultUpstream();
    await using gateway = await startForward(upstream.url, "", early);
    const asked = Promise.withResolvers<Exchange>();
    upstream.respond = asked.resolve;
    const response = await withinMs(gateway.chat(streamed), "the early headers");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(response.headers.get("x-request-id")).toBeTruthy();
    expect(response.headers.get("x-modelyard-upstream")).toBeNull();
    expect(response.headers.get("x-modelyard-attempts")).toBeNull();
    (await asked.promise).send(sseAnswer(FRAMES));
    const frames = await readFrames(response);
    expect(frames.text.startsWith(COMMENT)).toBe(true);
    expect(textOf(frames)).toBe("Hello");
    expect(frames.data.at(-1)).toBe("[DONE]");
  });

  test("leave the next upstream its chance", async () => {
    await using first = await startFaultUpstream();
    await using second = await startFaultUpstream();
    await using gateway = await startGateway(
      `${tries(2)}upstreams:\n${forwardTo("first", first.url)}${forwardTo("second", second.url)}`,
      early,
    );
    const asked = Promise.withResolvers<Exchange>();
    first.respond = asked.resolve;
    const response = await withinMs(gateway.chat(streamed), "the early headers");
    (await asked.promise).reset();
    expect(textOf(await readFrames(response))).toBe("Hello there!");
    expect([first.requests.length, second.requests.length]).toEqual([1, 1]);
  });

  test("make a failure an error frame, because the status is gone", async () => {
    await using upstream = await startFaultUpstream();
    await using gateway = await startForward(upstream.url, "", early);
    const asked = Promise.withResolvers<Exchange>();
    upstream.respond = asked.resolve;
    const response = await withinMs(gateway.chat(streamed), "the early headers");
    (await asked.promise).reset();
    const { data } = await readFrames(response);
    expect(data).toHaveLength(1);
    expect(JSON.parse(data[0] ?? "")).toMatchObject({ error: { code: "upstream_unavailable" } });
  });

  test("don't go out for a plain answer", async () => {
    await using upstream = await startFaultUpstream();
    await using gateway = await startForward(upstream.url, "timeouts: { total: 100ms }", early);
    upstream.respond = () => undefined;
    expect((await gateway.chat(plain)).status).toBe(504);
  });
});

test("comments fill the silence in the middle of a stream", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url, "", { limits: { heartbeat: 20 } });
  const asked = Promise.withResolvers<Exchange>();
  upstream.respond = (exchange) => {
    fallsSilentAfter(ROLE + FIRST)(exchange);
    asked.resolve(exchange);
  };
  const response = await gateway.chat(streamed);
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece);
    if (text.split(COMMENT).length === 4) (await asked.promise).chunk(FRAMES.slice(2).join(""));
  }
  const frames = parseFrames(text);
  expect([textOf(frames), frames.data.at(-1)]).toEqual(["Hello", "[DONE]"]);
  expect(text.split(COMMENT).length).toBeGreaterThanOrEqual(4);
});

describe("deadlines", () => {
  async function refusal(timeouts: string, respond: FaultUpstream["respond"], body: object) {
    await using upstream = await startFaultUpstream();
    await using gateway = await startForward(upstream.url, `timeouts: ${timeouts}`);
    upstream.respond = respond;
    const response = await gateway.chat(body);
    const text = await response.text();
    await withinMs(
      Promise.all(upstream.requests.map(({ closed }) => closed)),
      "the upstream's connection to be closed",
    );
    return { status: response.status, text };
  }

  test.each([
    ["no headers", () => undefined],
    ["no event", (exchange: Exchange) => exchange.head(200, EVENT_STREAM)],
    ["a role and no more", fallsSilentAfter(ROLE)],
  ])("first_event is a 504 for an upstream that gives %s", async (_, respond) => {
    const { status, text } = await refusal("{ first_event: 50ms }", respond, streamed);
    expect(status).toBe(504);
    expect(JSON.parse(text)).toMatchObject({ error: { code: "upstream_timeout" } });
    expect(text).toContain("timeouts.first_event");
  });

  test("idle is an error frame in the middle of a stream", async () => {
    const { status, text } = await refusal("{ idle: 50ms }", fallsSilentAfter(ROLE + FIRST), streamed);
    expect(status).toBe(200);
    expect(JSON.parse(parseFrames(text).data.at(-1) ?? "")).toMatchObject({
      error: { code: "upstream_timeout" },
    });
    expect(text).toContain("timeouts.idle");
    expect(text).not.toContain("[DONE]");
  });

  test("total is an error frame in a stream that goes on and on", async () => {
    const goesOn = async (exchange: Exchange) => {
      exchange.head(200, EVENT_STREAM);
      const gone = exchange.closed.then(() => true);
      do exchange.chunk(FIRST);
      while (!(await Promise.race([gone, Bun.sleep(10).then(() => false)])));
    };
    const { status, text } = await refusal("{ idle: 5s, total: 200ms }", goesOn, streamed);
    expect(status).toBe(200);
    expect(text).toContain("timeouts.total");
    expect(text).not.toContain("[DONE]");
  });

  test.each([
    ["nothing", () => undefined],
    ["half of an answer", (exchange: Exchange) => exchange.send(`HTTP/1.1 200 OK\r\n\r\n{"choices":`)],
  ])("total is a 504 for a plain answer of which %s comes", async (_, respond) => {
    const { status, text } = await refusal("{ total: 100ms }", respond, plain);
    expect(status).toBe(504);
    expect(text).toContain("timeouts.total");
  });

  test("first_event and idle don't hurry a plain answer", async () => {
    const slow = async (exchange: Exchange) => {
      await Bun.sleep(100);
      exchange.send(sseAnswer(FRAMES));
      exchange.close();
    };
    const { status } = await refusal("{ first_event: 20ms, idle: 20ms }", slow, plain);
    expect(status).toBe(200);
  });
});

test("an upstream that has said all and doesn't close costs the client no more than five seconds", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url);
  upstream.respond = fallsSilentAfter(ROLE + FIRST + FINISH);
  const began = performance.now();
  const body = { ...streamed, stream_options: { include_usage: true } };
  const { data, chunks } = await readFrames(await gateway.chat(body));
  expect(performance.now() - began).toBeLessThan(8_000);
  expect(data.at(-1)).toBe("[DONE]");
  expect(chunks.at(-1)).toMatchObject({ choices: [], x_modelyard: { usage: "estimated" } });
  await withinMs(upstream.requests[0]?.closed ?? Promise.reject(new Error("nobody asked")), "the close");
}, 15_000);

test("usage is told if it was asked for, and only then", async () => {
  await using upstream = await startFaultUpstream();
  await using gateway = await startForward(upstream.url);
  const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
  upstream.respond = (exchange) => exchange.send(sseAnswer(openaiChunks("Hello", { usage })));
  const asking = { ...streamed, stream_options: { include_usage: true } };
  expect((await readFrames(await gateway.chat(asking))).chunks.at(-1)).toMatchObject({ usage });
  for (const body of [streamed, { ...streamed, stream_options: { include_usage: false } }]) {
    expect((await readFrames(await gateway.chat(body))).text).not.toContain(`"usage"`);
  }
});
