import { describe, expect, test } from "bun:test";
import type { UpstreamErrorCode } from "modelyard/plugin";
import { closedGate } from "../support/gate.ts";
import type { Step } from "../support/scripted-gateway.ts";
import { HELLO, say } from "../support/scripted-gateway.ts";
import type { SeveralGateway } from "../support/several-gateway.ts";
import { startSeveral } from "../support/several-gateway.ts";
import { readFrames, textOf } from "../support/sse-frames.ts";

/**
 * What a client gets when upstreams fail before they have said anything, and how often they are asked for it.
 * @module
 */
type Details = Partial<Omit<Extract<Step, { fail: unknown }>, "fail" | "message">>;

/** An upstream that fails in this way instead of answering `m`; with `times` it then answers. */
function failing(code: UpstreamErrorCode, details: Details = {}) {
  return { answers: { m: [{ fail: code, message: `${code} it is`, ...details }, ...HELLO] } };
}

const SOUND = { answers: { m: HELLO } };
const NEVER_RESTED = "health: { failures: 1000000 }\n";

interface Rules {
  readonly attempts?: number;
  readonly backoff?: string;
  readonly route?: object;
}

/** The route from `m` to these upstreams, in order, and how it may be retried. */
function through(targets: readonly unknown[], { attempts = 3, backoff = "1ms", route = {} }: Rules = {}) {
  const routes = [{ model: "m", targets, ...route }];
  return `routes: ${JSON.stringify(routes)}\nretry: { attempts: ${attempts}, backoff: ${backoff} }\n${NEVER_RESTED}`;
}

function ask(gateway: SeveralGateway, stream = false): Promise<Response> {
  return gateway.chat({ model: "m", stream, messages: [{ role: "user", content: "Well?" }] });
}

async function refusal(response: Response) {
  const { error } = (await response.json()) as { error: { code: string; message: string; param: unknown } };
  return { status: response.status, retryAfter: response.headers.get("retry-after"), ...error };
}

describe("before the first event", () => {
  for (const stream of [false, true]) {
    test(`the next target answers ${stream ? "a streamed" : "a plain"} request, as if it had been asked first`, async () => {
      await using gateway = await startSeveral(
        { a: failing("unavailable"), b: SOUND },
        through(["a", "b"], { backoff: "1h" }),
      );
      const response = await ask(gateway, stream);
      expect(response.status).toBe(200);
      expect(response.headers.get("x-modelyard-upstream")).toBe("b");
      expect(response.headers.get("x-modelyard-attempts")).toBe("2");
      expect(await response.text()).toContain("world");
      expect(gateway.calls()).toEqual({ a: 1, b: 1 });
    });
  }

  test("and only before it: what has begun is never begun again", async () => {
    const broken: Step[] = [say("Once"), { fail: "failed", message: "the engine caught fire" }];
    await using gateway = await startSeveral(
      { a: { answers: { m: broken } }, b: SOUND },
      through(["a", "b"]),
    );
    const { data, chunks } = await readFrames(await ask(gateway, true));
    expect(chunks.at(-1)).toMatchObject({ error: { code: "upstream_error" } });
    expect(data).not.toContain("[DONE]");
    expect(gateway.calls()).toEqual({ a: 1, b: 0 });
  });

  test("a request makes no more calls than `attempts`, however many targets there are", async () => {
    const dead = failing("unavailable");
    await using gateway = await startSeveral(
      { a: dead, b: dead, c: dead, d: dead, e: dead },
      through(["a", "b", "c", "d", "e"]),
    );
    const response = await ask(gateway);
    expect(response.status).toBe(503);
    expect(response.headers.get("x-modelyard-attempts")).toBe("3");
    expect(gateway.calls()).toEqual({ a: 1, b: 1, c: 1, d: 0, e: 0 });
  });

  test("headers that went out early leave the next target free to answer", async () => {
    await using gate = closedGate();
    const slow: Step[] = [{ gate: gate.url }, { fail: "failed", message: "no luck" }];
    await using gateway = await startSeveral(
      { a: { answers: { m: slow } }, b: SOUND },
      `server: { port: 0, early_headers: 20ms }\n${through(["a", "b"])}`,
    );
    const response = await ask(gateway, true);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-modelyard-upstream")).toBeNull();
    expect(gateway.calls()).toEqual({ a: 1, b: 0 });
    gate.open();
    const frames = await readFrames(response);
    expect(frames.text).toStartWith(":");
    expect(textOf(frames)).toBe("Hello, world");
    expect(frames.data.at(-1)).toBe("[DONE]");
    expect(gateway.calls()).toEqual({ a: 1, b: 1 });
  });
});

describe("the same target again", () => {
  test("after a pause that doubles", async () => {
    await using gateway = await startSeveral(
      { a: failing("failed", { times: 2 }) },
      through(["a"], { backoff: "100ms" }),
    );
    const began = performance.now();
    const response = await ask(gateway);
    const took = performance.now() - began;
    console.log(`two failures, back-off 100 ms: answered after ${Math.round(took)} ms`);
    expect(response.headers.get("x-modelyard-attempts")).toBe("3");
    // Each pause is between half and all of its length, so that clients don't come back in step.
    expect(took).toBeGreaterThanOrEqual(150);
  });

  test("not before the upstream's short retry-after", async () => {
    await using gateway = await startSeveral(
      { a: failing("unavailable", { retryAfterMs: 150, times: 1 }) },
      through(["a"]),
    );
    const began = performance.now();
    const response = await ask(gateway);
    expect(response.status).toBe(200);
    expect(performance.now() - began).toBeGreaterThanOrEqual(150);
    expect(gateway.calls()).toEqual({ a: 2 });
  });

  test("never after a long retry-after: the client gets it at once", async () => {
    await using gateway = await startSeveral(
      { a: failing("unavailable", { retryAfterMs: 60_000, times: 1 }) },
      through(["a"]),
    );
    const began = performance.now();
    const answer = await refusal(await ask(gateway));
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(answer).toMatchObject({ status: 503, retryAfter: "60", code: "upstream_unavailable" });
    expect(gateway.calls()).toEqual({ a: 1 });
  });
});

/** What each failure costs and looks like when the only target fails so for ever. */
const ALONE: readonly (readonly [UpstreamErrorCode, number, string, number])[] = [
  ["bad-request", 400, "invalid_value", 1],
  ["context-length", 400, "context_length_exceeded", 1],
  ["content-filter", 400, "content_filter", 1],
  ["too-large", 413, "request_too_large", 1],
  ["unsupported", 400, "unsupported_parameter", 1],
  ["no-such-model", 404, "model_not_found", 1],
  ["rate-limited", 429, "rate_limit_exceeded", 1],
  ["rejected", 503, "no_credential", 1],
  ["out-of-credit", 503, "no_credential", 1],
  ["no-credential", 503, "no_credential", 1],
  ["timeout", 504, "upstream_timeout", 1],
  ["unreachable", 503, "upstream_unavailable", 3],
  ["unavailable", 503, "upstream_unavailable", 3],
  ["failed", 502, "upstream_error", 3],
  ["model-failed", 502, "upstream_error", 2],
  ["truncated", 502, "upstream_truncated", 3],
  ["bad-response", 502, "upstream_bad_response", 1],
];

/** Whether the next target is asked. */
const BEHIND: Readonly<Record<string, boolean>> = {
  "bad-request": false,
  "content-filter": false,
  "context-length": false,
};

/** What the gateway says in its own words, and when a client may come back. */
const OWN_WORDS: Readonly<Record<string, readonly [string, string]>> = {
  rejected: [`the gateway's key for "alone" was refused`, "60"],
  "out-of-credit": [`the credit of the gateway's key for "alone" is spent`, "60"],
  "no-credential": [`no credential for "alone" can be used at present`, "1"],
};

describe("kinds of failures", () => {
  for (const [code, status, wire, calls] of ALONE) {
    test(`${code}: ${status} after ${calls} calls; ${BEHIND[code] === false ? "no other" : "another"} target is tried`, async () => {
      const bad = failing(code);
      await using gateway = await startSeveral({ alone: bad, first: bad, second: SOUND }, through(["alone"]));
      const answer = await refusal(await ask(gateway));
      const [message, retryAfter] = OWN_WORDS[code] ?? [`${code} it is`, "1"];
      expect(answer).toMatchObject({ status, code: wire, message });
      expect(gateway.calls()).toEqual({ alone: calls, first: 0, second: 0 });
      expect(answer.retryAfter).toBe(status === 429 || status === 503 ? retryAfter : null);

      await using backed = await startSeveral({ first: bad, second: SOUND }, through(["first", "second"]));
      const response = await ask(backed);
      expect(response.status).toBe(BEHIND[code] === false ? status : 200);
      expect(backed.calls()).toEqual({ first: 1, second: BEHIND[code] === false ? 0 : 1 });
    });
  }

  test("another credential of the same upstream is tried at once", async () => {
    for (const code of ["rejected", "rate-limited"] as const) {
      await using gateway = await startSeveral(
        { a: failing(code, { otherCredential: true, retryAfterMs: 60_000, times: 2 }) },
        through(["a"], { backoff: "1h" }),
      );
      expect((await ask(gateway)).headers.get("x-modelyard-attempts")).toBe("3");
    }
  });

  test("what an upstream can't do costs no attempt and no pause", async () => {
    const lacking = failing("unsupported", { param: "seed" });
    await using gateway = await startSeveral(
      { a: lacking, b: lacking, c: lacking, d: SOUND },
      through(["a", "b", "c", "d"], { attempts: 1 }),
    );
    const response = await ask(gateway);
    expect(response.headers.get("x-modelyard-upstream")).toBe("d");
    expect(response.headers.get("x-modelyard-attempts")).toBe("1");
  });

  test("a conversation too long for one goes to the next where the route says so", async () => {
    const short = failing("context-length", { param: "messages" });
    const route = { on_context_length: "next" };
    await using gateway = await startSeveral({ a: short, b: SOUND }, through(["a", "b"], { route }));
    expect((await ask(gateway)).headers.get("x-modelyard-upstream")).toBe("b");
    await using all = await startSeveral({ a: short, b: short }, through(["a", "b"], { route }));
    expect(await refusal(await ask(all))).toMatchObject({
      status: 400,
      code: "context_length_exceeded",
      param: "messages",
    });
    expect(all.calls()).toEqual({ a: 1, b: 1 });
  });

  test("of several failures the client gets the one that says most", async () => {
    const upstreams = {
      a: failing("unsupported", { param: "seed" }),
      b: failing("rejected"),
      c: failing("no-such-model"),
    };
    await using gateway = await startSeveral(upstreams, through(["a", "b", "c"]));
    expect(await refusal(await ask(gateway))).toMatchObject({ status: 503, code: "no_credential" });
  });

  test("of several times to come back the client gets the earliest", async () => {
    const limited = (seconds: number) => failing("rate-limited", { retryAfterMs: seconds * 1_000 });
    await using gateway = await startSeveral(
      { a: limited(60), b: limited(7), c: limited(30) },
      through(["a", "b", "c"]),
    );
    const first = await refusal(await ask(gateway));
    expect(first).toMatchObject({ status: 429, retryAfter: "7", code: "rate_limit_exceeded" });
    const second = await refusal(await ask(gateway));
    expect(second).toMatchObject({ status: 429, retryAfter: "7", code: "rate_limit_exceeded" });
    // The one that is to come back first is asked all the same, since nothing else is left.
    expect(gateway.calls()).toEqual({ a: 1, b: 2, c: 1 });
  });
});
