import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import type { ChatEvent } from "modelyard/plugin";
import { nextOf } from "../../../test/support/batches.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { testCall, testHost } from "../../../test/support/plugin-host.ts";
import type { TestHost } from "../../../test/support/plugin-host.ts";
import { ApiKeys } from "./api-keys.ts";
import type { ApiKey } from "./api-keys.ts";
import { openaiStream } from "../openai-stream/openai-stream.ts";

const SECOND = 1000;
const SAID: ChatEvent = { type: "text", text: "said" };
const REFUSED = new UpstreamError("rejected", "pay your bill");
const tooMany = (seconds: number): UpstreamError =>
  new UpstreamError("rate-limited", "too many", { retryAfterMs: seconds * SECOND });

let clock: FakeClock;
let host: TestHost;
beforeEach(() => {
  clock = new FakeClock();
  host = testHost();
});
afterEach(() => host.close());

async function started(...keys: ApiKey[]): Promise<ApiKeys> {
  const built = new ApiKeys(keys, host.host, clock);
  built.start();
  await clock.advance(0);
  return built;
}

const TWO: readonly ApiKey[] = [{ key: "a" }, { key: "b" }];
const call = (id = "request", attempt = 1) => testCall({ id, attempt }).call;

/** The key that an attempt gets; what the attempt fails with, if told. */
async function attempt(keys: ApiKeys, at = call(), error?: Error): Promise<string | undefined> {
  let used: string | undefined;
  await keys.lend(at, async (key) => {
    used = key;
    if (error) throw error;
  });
  return used;
}

async function failure(failing: Promise<unknown>): Promise<UpstreamError> {
  const error: unknown = await failing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!UpstreamError.is(error)) throw new Error("expected an UpstreamError", { cause: error });
  return error;
}

describe("a single key, or none", () => {
  test("is used whatever was said of it, and its failures go through as they are", async () => {
    const keys = await started({ key: "only" });
    expect(await failure(attempt(keys, call(), tooMany(30)))).toMatchObject({
      code: "rate-limited",
      retryAfterMs: 30 * SECOND,
      otherCredential: false,
    });
    await failure(attempt(keys, call(), REFUSED));
    expect(await attempt(keys)).toBe("only");
    expect(keys.status()).toEqual({ keys: 1 });
    expect(host.secrets).toEqual(new Set(["only"]));
    expect(await attempt(await started())).toBeUndefined();
  });
});

describe("of several keys", () => {
  test("each gets its share", async () => {
    const keys = await started({ key: "a", weight: 3 }, { key: "b" });
    const used = await Promise.all(Array.from({ length: 8 }, () => attempt(keys)));
    expect(used.filter((key) => key === "a")).toHaveLength(6);
  });

  test("one at its limit rests as long as it was told, and the failure says that another is there", async () => {
    const keys = await started(...TWO);
    expect(await failure(attempt(keys, call(), tooMany(30)))).toMatchObject({
      code: "rate-limited",
      retryAfterMs: 30 * SECOND,
      otherCredential: true,
    });
    expect([await attempt(keys), await attempt(keys)]).toEqual(["b", "b"]);
    await clock.advance(30 * SECOND);
    expect(new Set([await attempt(keys), await attempt(keys)])).toEqual(new Set(["a", "b"]));
  });

  test("one that is refused rests for a minute", async () => {
    const keys = await started(...TWO);
    expect((await failure(attempt(keys, call(), REFUSED))).otherCredential).toBe(true);
    await clock.advance(59 * SECOND);
    expect([await attempt(keys), await attempt(keys)]).toEqual(["b", "b"]);
    await clock.advance(1 * SECOND);
    expect(new Set([await attempt(keys), await attempt(keys)])).toEqual(new Set(["a", "b"]));
  });

  test("none is used twice for a request that it failed, though it is ready again", async () => {
    const keys = await started(...TWO);
    await failure(attempt(keys, call("one", 1), tooMany(1)));
    await clock.advance(1 * SECOND);
    expect(await attempt(keys, call("one", 2))).toBe("b");
    expect(await attempt(keys, call("one", 3))).toBe("b");
    // Another request with the same id begins anew.
    expect([await attempt(keys, call("one")), await attempt(keys, call("one"))]).toContain("a");
  });

  test("the last one's failure is the upstream's own, and later requests hear why there is none", async () => {
    const keys = await started(...TWO);
    await failure(attempt(keys, call("one", 1), tooMany(30)));
    const last = await failure(attempt(keys, call("one", 2), tooMany(60)));
    expect(last).toMatchObject({ retryAfterMs: 60 * SECOND, otherCredential: false });
    expect(await failure(attempt(keys))).toMatchObject({
      code: "rate-limited",
      message: "no API key is available: too many",
      retryAfterMs: 30 * SECOND,
    });
  });

  test("all refused is said as such", async () => {
    const keys = await started(...TWO);
    await failure(attempt(keys, call("one", 1), REFUSED));
    await failure(attempt(keys, call("one", 2), REFUSED));
    expect(await failure(attempt(keys))).toMatchObject({ code: "rejected" });
  });

  test("one is lent until the call is over", async () => {
    const keys = await started(...TWO);
    await keys.lend(call(), async () => {
      await clock.advance(0);
      expect(keys.status()).toMatchObject({ states: { leased: 1, fresh: 1 } });
    });
    expect(keys.status()).toMatchObject({ states: { leased: 0, fresh: 2 } });
  });

  test("what isn't blamed on the key changes nothing", async () => {
    const keys = await started(...TWO);
    const error = new UpstreamError("failed", "fell over");
    expect(await failure(attempt(keys, call(), error))).toBe(error);
    expect(new Set([await attempt(keys), await attempt(keys)])).toEqual(new Set(["a", "b"]));
  });

  test("a failure within an answer is blamed, too, and leaving reaches the answer", async () => {
    const keys = await started(...TWO);
    const left: string[] = [];
    async function* answer(error?: Error): AsyncGenerator<ChatEvent, void> {
      try {
        yield SAID;
        if (error) throw error;
        yield SAID;
      } finally {
        left.push("left");
      }
    }
    const stream = await keys.lendFor(call(), async () => answer(tooMany(30)));
    expect(stream).not.toHaveProperty("batches");
    expect(await failure(Array.fromAsync(stream))).toMatchObject({ otherCredential: true });
    expect([await attempt(keys), await attempt(keys)]).toEqual(["b", "b"]);
    for await (const said of await keys.lendFor(call(), async () => answer())) {
      expect(said).toEqual(SAID);
      break;
    }
    expect(left).toEqual(["left", "left"]);
  });

  test("an answer that comes in batches still does, and its failure is blamed there, too", async () => {
    const keys = await started(...TWO);
    const body = `data: {"choices":[{"delta":{"content":"said"}}]}\n\n`.repeat(2);
    const end = `data: {"error":{"code":"rate_limit_exceeded","message":"too many"}}\n\n`;
    const stream = await keys.lendFor(call(), async () => openaiStream(new Response(body + end)));
    const batches = stream.batches?.();
    if (!batches) throw new Error("it came one by one");
    expect(await nextOf(batches)).toEqual({ done: false, value: [SAID, SAID] });
    expect(await failure(nextOf(batches))).toMatchObject({ otherCredential: true });
  });

  test("neither status nor storage holds a key", async () => {
    const keys = await started({ key: "sk-secret-1" }, { key: "sk-secret-2" });
    await failure(attempt(keys, call(), tooMany(30)));
    await clock.advance(0);
    const { storage } = host.host;
    const stored = await Promise.all((await storage.keys()).map((key) => storage.get(key)));
    expect(stored).toHaveLength(2);
    expect(JSON.stringify([keys.status(), stored])).not.toContain("secret");
    expect(keys.status()).toMatchObject({ states: { cooling: 1, fresh: 1 } });
  });
});
