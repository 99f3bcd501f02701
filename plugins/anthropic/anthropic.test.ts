import { describe, expect, test } from "bun:test";
import type { UpstreamError } from "modelyard/plugin";
import { anthropicAt, ask, recorded } from "../../test/support/anthropic-upstream.ts";
import { playTo, startFaultUpstream } from "../../test/support/fault-upstream.ts";
import type { Break, Exchange, FaultUpstream } from "../../test/support/fault-upstream.ts";
import { outcomeOf } from "../../test/support/pieces.ts";
import { testCall } from "../../test/support/plugin-host.ts";
import { withinMs } from "../../test/support/until.ts";

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";

/** A recorded stream as it is on the wire, one chunk for each event. */
function wireOf(name: string): Uint8Array {
  const events = new TextDecoder().decode(recorded(name)).split(/(?<=\n\n)/);
  const chunks = events.flatMap((event) => {
    const bytes = Buffer.from(event);
    return [Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")];
  });
  return Buffer.concat([
    Buffer.from(`${HEAD}transfer-encoding: chunked\r\n\r\n`),
    ...chunks,
    Buffer.from("0\r\n\r\n"),
  ]);
}

function answerWith(
  upstream: FaultUpstream,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  upstream.respond = (exchange) => {
    const text = JSON.stringify(body);
    exchange.head(status, { "content-type": "application/json", ...headers });
    exchange.chunk(text);
    exchange.end();
  };
}

test("a translated request has the features that its client turned on", async () => {
  await using upstream = await startFaultUpstream();
  upstream.respond = (exchange) => exchange.send(wireOf("text.sse"));
  const { call, ...rest } = testCall();
  const headers = { "anthropic-beta": "context-management-2025-06-27, effort-2025-11-24" };
  await ask(
    anthropicAt(upstream.url),
    { betas: ["effort-2025-11-24"] },
    { ...rest, call: { ...call, headers } },
  );
  const [asked] = upstream.requests;
  expect(asked?.headers.get("anthropic-beta")).toBe("effort-2025-11-24,context-management-2025-06-27");
});

test("a request carries the key, the version, the features and the form that the client asked for", async () => {
  await using upstream = await startFaultUpstream();
  upstream.respond = (exchange) => exchange.send(wireOf("text.sse"));
  const anthropic = anthropicAt(`${upstream.url}/v1/`, {
    beta: ["context-1m-2025-08-07"],
    headers: { "X-Team": "blue" },
  });
  const streamed = await ask(anthropic, { stream: true, betas: ["files-api-2025-04-14"] });
  await ask(anthropic);
  expect(streamed.error).toBeUndefined();
  const [first, second] = upstream.requests;
  expect(first?.path).toBe("/v1/messages");
  expect(Object.fromEntries(first?.headers ?? [])).toMatchObject({
    "x-api-key": "sk-ant-test",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "context-1m-2025-08-07,files-api-2025-04-14",
    "x-team": "blue",
    "content-type": "application/json",
  });
  expect(first?.json()).toEqual({
    model: "claude-sonnet-4-5",
    max_tokens: 64_000,
    messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    stream: true,
  });
  expect(second?.json()).not.toHaveProperty("stream");
});

test.each(["reset", "close", "garbage"] as Break[])(
  "an answer that is cut (%s) at any byte is finished only if its end mark came",
  async (how) => {
    await using upstream = await startFaultUpstream();
    const wire = wireOf("text.sse");
    const end = Buffer.from(wire).indexOf("\n\n", Buffer.from(wire).indexOf("event: message_stop")) + 2;
    const laundered: number[] = [];
    const lost: number[] = [];
    const odd: unknown[] = [];
    const cuts = [...wire.keys()].map((at) => at + 1).values();
    const anthropic = anthropicAt(upstream.url);
    const whole = new Map<number, PromiseWithResolvers<void>>();
    upstream.respond = async (exchange) => {
      const { metadata } = exchange.json() as { metadata: { user_id: string } };
      const at = Number(metadata.user_id);
      exchange.send(wire.subarray(0, at));
      // A broken connection may take along what its reader hasn't read: the whole answer must have been read.
      if (at >= end) await withinMs(whole.get(at)!.promise, `the finish of ${at}`);
      await playTo(exchange, new Uint8Array(), 0, how);
    };
    const lanes = Array.from({ length: 16 }, async () => {
      for (const at of cuts) {
        whole.set(at, Promise.withResolvers());
        const { items, error } = await ask(anthropic, { stream: true, user: String(at) });
        whole.get(at)?.resolve();
        const isFinished = items.some(({ type }) => type === "finish");
        if (isFinished === (error !== undefined)) odd.push([at, error]);
        // Without its blank line the event may still be whole: then both are right.
        if (isFinished && at < end - 2) laundered.push(at);
        if (!isFinished && at >= end) lost.push(at);
        if (
          error !== undefined &&
          !["truncated", "unavailable", "bad-response"].includes((error as { code: string }).code)
        ) {
          odd.push([at, error]);
        }
      }
    });
    await Promise.all(lanes);
    expect(upstream.requests.length).toBeGreaterThanOrEqual(Math.min(1000, wire.length));
    expect({ laundered, lost, odd }).toEqual({ laundered: [], lost: [], odd: [] });
  },
);

test("a plain answer that is cut at any byte is never a finished one", async () => {
  await using upstream = await startFaultUpstream();
  const body = Buffer.from(
    JSON.stringify({ type: "message", content: [{ type: "text", text: "„你好“" }], stop_reason: "end_turn" }),
  );
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const anthropic = anthropicAt(upstream.url);
  for (let at = 0; at <= body.length; at++) {
    upstream.respond = (exchange) =>
      playTo(exchange, Buffer.concat([Buffer.from(head), body]), head.length + at, "close");
    const { items, error } = await ask(anthropic);
    const isWhole = at === body.length;
    expect([at, items.some(({ type }) => type === "finish"), error === undefined]).toEqual([
      at,
      isWhole,
      isWhole,
    ]);
    if (!isWhole) expect(error).toMatchObject({ code: "truncated" });
  }
});

describe("an HTTP error", () => {
  const said = (type: string, message: string) => ({
    type: "error",
    error: { type, message },
    request_id: "req_1",
  });

  test.each([
    [400, "invalid_request_error", "prompt is too long: 212345 tokens > 200000 maximum", "context-length"],
    [
      400,
      "invalid_request_error",
      "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
      "context-length",
    ],
    [400, "invalid_request_error", "messages: at least one message is required", "bad-request"],
    [400, "invalid_request_error", "Your credit balance is too low to access the API.", "out-of-credit"],
    [
      400,
      "invalid_request_error",
      "You have reached your specified API usage limits. You will regain access on 2020-12-01 at 00:00 UTC.",
      "out-of-credit",
    ],
    [400, "invalid_request_error", "This organization has been disabled.", "rejected"],
    [401, "authentication_error", "invalid x-api-key", "rejected"],
    [402, "billing_error", "Pay first.", "out-of-credit"],
    [403, "permission_error", "Not for you.", "rejected"],
    [404, "not_found_error", "model: claude-nope", "no-such-model"],
    [413, "request_too_large", "Request exceeds the maximum size", "too-large"],
    [429, "rate_limit_error", "Slow down.", "rate-limited"],
    [500, "api_error", "Internal server error", "failed"],
    [504, "timeout_error", "Too slow.", "timeout"],
    [529, "overloaded_error", "Overloaded", "unavailable"],
  ])("%d %s, %s, is %s", async (status, type, message, code) => {
    await using upstream = await startFaultUpstream();
    answerWith(upstream, status, said(type, message));
    const { error } = await ask(anthropicAt(upstream.url));
    expect(error).toMatchObject({ code, message });
  });

  test("an account at the limit that it has set itself says from when on it can be asked again", async () => {
    await using upstream = await startFaultUpstream();
    const [day, time] = new Date(Date.now() + 3 * 86_400_000).toISOString().split("T");
    const message = `You have reached your specified API usage limits. You will regain access on ${day} at ${time?.slice(0, 5)} UTC.`;
    answerWith(upstream, 400, said("invalid_request_error", message));
    const { error } = await ask(anthropicAt(upstream.url));
    expect(error).toMatchObject({ code: "out-of-credit" });
    expect((error as UpstreamError).retryAfterMs).toBeWithin(3 * 86_400_000 - 120_000, 3 * 86_400_000 + 1);
  });

  test("says when to come back", async () => {
    await using upstream = await startFaultUpstream();
    answerWith(upstream, 429, said("rate_limit_error", "Slow down."), { "retry-after": "7" });
    expect((await ask(anthropicAt(upstream.url))).error).toMatchObject({ retryAfterMs: 7000 });
  });
});

test("a client that leaves ends the upstream's connection at once, whatever it waits for", async () => {
  await using upstream = await startFaultUpstream();
  const wire = wireOf("text.sse");
  for (const sent of [0, HEAD.length + 40, 600]) {
    const arrived = Promise.withResolvers<Pick<Exchange, "closed">>();
    upstream.respond = async (exchange) => {
      await playTo(exchange, wire, sent, "stall");
      arrived.resolve(exchange);
    };
    const call = testCall();
    const asked = ask(anthropicAt(upstream.url), { stream: true }, call);
    const { closed } = await arrived.promise;
    const left = performance.now();
    call.abort(new Error("left"));
    expect((await withinMs(closed, "the connection's end")) - left).toBeLessThan(50);
    expect((await asked).error).toMatchObject({ message: "left" });
  }
});

test("leaving the iteration ends the connection too", async () => {
  await using upstream = await startFaultUpstream();
  const arrived = Promise.withResolvers<Pick<Exchange, "closed">>();
  upstream.respond = async (exchange) => {
    await playTo(exchange, wireOf("text.sse"), 600, "stall");
    arrived.resolve(exchange);
  };
  const request = { model: "m", messages: [], stream: true };
  const events = (await anthropicAt(upstream.url).chat(request, testCall().call))[Symbol.asyncIterator]();
  await events.next();
  await events.return?.();
  await withinMs((await arrived.promise).closed, "the connection's end");
});

describe("several keys", () => {
  const KEYS = { api_keys: [{ key: "sk-ant-one" }, { key: "sk-ant-two" }] };

  /** Refuses the first key that asks, in one way or another, and serves all others. */
  function refusing(upstream: FaultUpstream, status: number): { refused: string | undefined } {
    const seen: { refused: string | undefined } = { refused: undefined };
    upstream.respond = (exchange) => {
      const key = exchange.headers.get("x-api-key") ?? "";
      seen.refused ??= key;
      if (key !== seen.refused) return exchange.send(wireOf("text.sse"));
      exchange.head(status, { "content-type": "application/json" });
      exchange.chunk(JSON.stringify({ type: "error", error: { type: "x", message: "No." } }));
      exchange.end();
    };
    return seen;
  }

  test.each([401, 429])(
    "one that is answered with %d rests, and the same request may go on with another",
    async (status) => {
      await using upstream = await startFaultUpstream();
      const seen = refusing(upstream, status);
      const anthropic = anthropicAt(upstream.url, { ...KEYS, api_key: undefined } as never);
      anthropic.start();
      const call = testCall();
      const first = await ask(anthropic, {}, call);
      expect(first.error).toMatchObject({ otherCredential: true });
      const second = await ask(anthropic, {}, testCall({ attempt: 2 }));
      expect(second.error).toBeUndefined();
      const others = await Promise.all(
        [1, 2, 3].map(() => ask(anthropic, {}, testCall({ id: crypto.randomUUID() }))),
      );
      expect(others.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
      const keys = upstream.requests.map(({ headers }) => headers.get("x-api-key"));
      expect(keys.filter((key) => key === seen.refused)).toHaveLength(1);
    },
  );

  test("a limit that is told in mid-stream is the key's, too", async () => {
    await using upstream = await startFaultUpstream();
    const error = { type: "error", error: { type: "rate_limit_error", message: "No." } };
    upstream.respond = (exchange) => {
      exchange.head(200, { "content-type": "text/event-stream" });
      exchange.chunk(`event: error\ndata: ${JSON.stringify(error)}\n\n`);
      exchange.end();
    };
    const anthropic = anthropicAt(upstream.url, { ...KEYS, api_key: undefined } as never);
    anthropic.start();
    expect((await ask(anthropic)).error).toMatchObject({ code: "rate-limited", otherCredential: true });
    expect(JSON.stringify(anthropic.status())).not.toContain("sk-ant");
  });

  test("a single one is used again whatever it was told", async () => {
    await using upstream = await startFaultUpstream();
    answerWith(upstream, 429, { type: "error", error: { type: "rate_limit_error", message: "No." } });
    const anthropic = anthropicAt(upstream.url);
    expect((await ask(anthropic)).error).toMatchObject({ code: "rate-limited", otherCredential: false });
    upstream.respond = (exchange) => exchange.send(wireOf("text.sse"));
    expect(
      (await outcomeOf(await anthropic.chat({ model: "m", messages: [] }, testCall().call))).error,
    ).toBeUndefined();
  });
});
