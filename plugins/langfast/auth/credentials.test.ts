import { describe, expect, test } from "bun:test";
import type { Call } from "modelyard/plugin";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { startEmulator } from "../../../test/support/langfast-emulator/index.ts";
import type { Emulator } from "../../../test/support/langfast-emulator/index.ts";
import { answerTo, asking, connectLangfast, openLangfast } from "../../../test/support/langfast-upstream.ts";
import type { LangfastUnderTest } from "../../../test/support/langfast-upstream.ts";
import { memoryStorage, testCall } from "../../../test/support/plugin-host.ts";
import type { TestHost } from "../../../test/support/plugin-host.ts";

const MINUTE = 60_000;

/** An upstream whose time, and the emulator's, stands still. */
async function openInStillTime(clock: FakeClock): Promise<LangfastUnderTest> {
  return await openLangfast({ emulator: { now: () => clock.now() }, timing: { clock } });
}

/** The call of the core's second try for the same request. */
function nextAttempt(): Call {
  return testCall({ attempt: 2 }).call;
}

/** Resolves when something was logged as a warning, while time stands still. */
async function warned({ logs }: TestHost, clock: FakeClock): Promise<void> {
  while (!logs.some(({ level }) => level === "warn")) await clock.advance(0);
}

/** Signs up a user by hand; gives its refresh token, as an account's owner would have it. */
async function refreshTokenFrom(emulator: Emulator): Promise<string> {
  const response = await fetch(`${emulator.supabaseUrl}/auth/v1/signup`, {
    method: "POST",
    headers: { apikey: emulator.anonKey, "content-type": "application/json" },
    body: "{}",
  });
  return ((await response.json()) as { refresh_token: string }).refresh_token;
}

describe("a credential", () => {
  test("is refreshed before it ends, each time with the newest token", async () => {
    const clock = new FakeClock();
    await using langfast = await openInStillTime(clock);
    const { emulator, upstream } = langfast;
    expect((await answerTo(upstream, asking("hello"))).text).toBe("hello");
    for (let refreshes = 1; refreshes <= 3; refreshes++) {
      // Not a minute more: the refresh itself has a deadline, and its time would pass, too.
      await clock.advance(55 * MINUTE);
      await emulator.waitFor(() => emulator.counts.refreshes >= refreshes, `refresh ${refreshes}`);
      expect(await answerTo(upstream, asking("hello"))).toMatchObject({ error: undefined, text: "hello" });
    }
    expect(emulator.counts.signups).toBe(1);
    expect(emulator.violations).toEqual([]);
  });

  test("that was taken back early is refreshed, and nobody is signed up", async () => {
    await using langfast = await openLangfast();
    const { emulator, upstream } = langfast;
    await answerTo(upstream, asking("hello"));
    emulator.expireAccess(emulator.users[0]!.id);
    expect((await answerTo(upstream, asking("hello"))).error).toMatchObject({
      code: "rejected",
      otherCredential: true,
    });
    expect((await answerTo(upstream, asking("again"), nextAttempt())).text).toBe("again");
    expect(emulator.counts).toMatchObject({ signups: 1, refreshes: 1 });
  });

  test("that is gone for good is replaced, and its socket closed", async () => {
    await using langfast = await openLangfast();
    const { emulator, upstream } = langfast;
    await answerTo(upstream, asking("hello"));
    const { id } = emulator.users[0]!;
    emulator.revoke(id);
    expect((await answerTo(upstream, asking("hello"))).error).toMatchObject({
      code: "rejected",
      otherCredential: true,
    });
    expect((await answerTo(upstream, asking("again"), nextAttempt())).text).toBe("again");
    expect(emulator.counts.signups).toBe(2);
    await emulator.waitFor(() => emulator.users[0]!.sockets === 0, "the old socket is closed");
  });

  test("that is at its limit is spared for the rest of the request, whether it rests or not", async () => {
    await using langfast = await openLangfast({ options: { credentials: { min: 0, max: 2 } } });
    const { emulator, upstream } = langfast;
    emulator.script = { initiate: { status: 429, retryAfter: 1, times: 1 } };
    const { error } = await answerTo(upstream, asking("hello"));
    expect(error).toMatchObject({ code: "rate-limited", retryAfterMs: 1000, otherCredential: true });
    expect((await answerTo(upstream, asking("again"), nextAttempt())).text).toBe("again");
    expect(emulator.runs.map(({ userId }) => userId)).toEqual([emulator.users[1]!.id]);
  });

  test("that is at its limit while no other can be had ends the request with that", async () => {
    await using langfast = await openLangfast({
      emulator: { script: { initiate: { status: 429, retryAfter: 1 } } },
    });
    const { error } = await answerTo(langfast.upstream, asking("hello"));
    // It would be good again in a second, but not for this request.
    expect(error).toMatchObject({ code: "rate-limited", otherCredential: false });
  });

  test("that is refused after the first word is not replaced within the answer", async () => {
    await using langfast = await openLangfast({ options: { credentials: { min: 0, max: 2 } } });
    const { emulator, upstream } = langfast;
    // The service refuses what it has already begun: the words come before the refusal.
    emulator.script = {
      initiate: { status: 401, carriedOut: true },
      namesExecution: false,
      early: 4,
      before: (event) => (event < 4 ? undefined : new Promise(() => {})),
    };
    const { text, error } = await answerTo(upstream, asking("#gen 1 300"));
    expect(text).not.toBe("");
    expect(error).toMatchObject({ code: "rejected", otherCredential: false });
  });

  test("and what it is made of are named as secrets, and stand in no status and no log", async () => {
    await using langfast = await openLangfast();
    await answerTo(langfast.upstream, asking("hello"));
    const seen = JSON.stringify([langfast.upstream.status(), langfast.host.logs]);
    expect(langfast.host.secrets.size).toBeGreaterThanOrEqual(2);
    for (const secret of langfast.host.secrets) expect(seen).not.toContain(secret);
  });
});

describe("the pool", () => {
  test("signs nobody up after a restart", async () => {
    await using emulator = await startEmulator();
    const storage = memoryStorage();
    for (const content of ["before", "after"]) {
      const { upstream, host } = connectLangfast(emulator, { host: { storage } });
      upstream.start();
      expect((await answerTo(upstream, asking(content))).text).toBe(content);
      await host.close();
    }
    expect(emulator.counts.signups).toBe(1);
  });

  test("touches nothing before it is started", async () => {
    await using emulator = await startEmulator();
    const { host } = connectLangfast(emulator, { options: { credentials: { min: 3, max: 3 } } });
    await host.close();
    expect(emulator.calls.signup).toBe(0);
  });

  test("fills up to its minimum and waits where sign-ups are limited", async () => {
    const clock = new FakeClock();
    await using langfast = await openLangfast({
      emulator: {
        now: () => clock.now(),
        script: { signup: (call) => (call === 1 ? { status: 429, retryAfter: 30 } : undefined) },
      },
      options: { credentials: { min: 1, max: 1 } },
      timing: { clock },
    });
    const { emulator, host } = langfast;
    await emulator.waitFor(() => emulator.calls.signup === 1, "the first sign-up");
    await warned(host, clock);
    await clock.advance(29_000);
    expect(emulator.calls.signup).toBe(1);
    await clock.advance(1_000);
    await emulator.waitFor(() => emulator.counts.signups === 1, "the second sign-up");
    expect(emulator.violations).toEqual([]);
  });

  test.each([
    {
      what: "says what to do when there are no anonymous users any more",
      fault: { status: 422 },
      said: "configure accounts",
    },
    {
      what: "gives the service's own words for a wrong key",
      fault: { status: 401, body: { msg: "Invalid API key" } },
      said: "Invalid API key",
    },
    {
      what: "takes an answer that isn't JSON for what it is",
      fault: { body: "<html>" },
      said: "without tokens",
    },
    {
      what: "takes a session without tokens for what it is",
      fault: { body: { user: {} } },
      said: "without tokens",
    },
  ])("$what", async ({ fault, said }) => {
    const clock = new FakeClock();
    await using langfast = await openLangfast({ emulator: { script: { signup: fault } }, timing: { clock } });
    const { upstream, host } = langfast;
    const caller = testCall();
    const answer = answerTo(upstream, asking("hello"), caller.call);
    await warned(host, clock);
    expect(upstream.status()).toMatchObject({ credentials: { error: expect.stringContaining(said) } });
    caller.abort(new Error("enough"));
    expect((await answer).error).toMatchObject({ message: "enough" });
  });
});

describe("an account", () => {
  test("is used instead of anonymous users", async () => {
    await using emulator = await startEmulator();
    const accounts = [{ refresh_token: await refreshTokenFrom(emulator) }];
    const storage = memoryStorage();
    for (const content of ["before", "after a restart"]) {
      const { upstream, host } = connectLangfast(emulator, {
        host: { storage },
        options: { anonymous: false, accounts },
      });
      upstream.start();
      expect((await answerTo(upstream, asking(content))).text).toBe(content);
      expect(JSON.stringify(upstream.status())).not.toContain(accounts[0]!.refresh_token);
      await host.close();
    }
    expect(emulator.counts).toMatchObject({ signups: 1, refreshes: 1 });
    expect(emulator.violations).toEqual([]);
  });

  test("whose token is used up leaves no credential, and says so", async () => {
    await using langfast = await openLangfast({
      emulator: { script: { refresh: { status: 400 } } },
      options: { anonymous: false, accounts: [{ refresh_token: "used" }] },
    });
    expect((await answerTo(langfast.upstream, asking("hello"))).error).toMatchObject({
      code: "no-credential",
    });
  });
});
