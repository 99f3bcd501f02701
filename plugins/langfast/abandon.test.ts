import { describe, expect, test } from "bun:test";
import type { EmulatorScript } from "../../test/support/langfast-emulator/index.ts";
import { answerTo, asking, openLangfast } from "../../test/support/langfast-upstream.ts";
import type { LangfastUnderTest } from "../../test/support/langfast-upstream.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { testCall } from "../../test/support/plugin-host.ts";

interface Phase {
  readonly phase: string;
  readonly script: EmulatorScript;
  /** Whether the phase is reached. */
  readonly reached: (langfast: LangfastUnderTest) => boolean;
  /** Nothing was begun on the socket, so it may stay for the next run. */
  readonly leavesSocket?: true;
}

const PHASES: Phase[] = [
  {
    phase: "while a credential is made",
    script: { signup: { hang: true } },
    reached: ({ emulator }) => emulator.calls.signup === 1,
  },
  {
    phase: "while the socket opens",
    script: { connect: { hang: true } },
    reached: ({ emulator }) => emulator.calls.connect === 1,
  },
  {
    phase: "while the prompt is created",
    script: { createPrompt: { hang: true } },
    reached: ({ emulator }) => emulator.calls.createPrompt === 1 && emulator.sockets === 1,
    leavesSocket: true,
  },
  {
    phase: "while the run is begun",
    script: { initiate: { hang: true } },
    reached: ({ emulator }) => emulator.calls.initiate === 1,
  },
  {
    phase: "before the first token",
    script: { fault: { after: 0, how: "silence" } },
    reached: ({ emulator }) => emulator.counts.runsStarted === 1,
  },
  {
    phase: "in mid-stream",
    script: { fault: { after: 4, how: "silence" } },
    reached: ({ emulator }) => emulator.runs[0]?.framesSent === 4,
  },
];

describe("a client that leaves", () => {
  test.each(PHASES)(
    "$phase is let go at once, with its lease, its run and its socket",
    async ({ script, reached, leavesSocket = false }) => {
      await using langfast = await openLangfast({ emulator: { script }, options: { prompt_id: "auto" } });
      const { emulator, upstream } = langfast;
      const caller = testCall();
      const answer = answerTo(upstream, asking("#gen 1 500"), caller.call);
      await emulator.waitFor(() => reached(langfast), "the phase");
      const reason = new Error("the client left");
      const left = performance.now();
      caller.abort(reason);
      expect((await answer).error).toBe(reason);
      expect(performance.now() - left).toBeLessThan(50);
      expect(upstream.status()).toMatchObject({ sockets: { connecting: 0, runs: 0 } });
      expect(JSON.stringify(upstream.status())).not.toContain('"leases":1');
      expect(upstream.status()).toMatchObject({ credentials: { waiting: 0 } });
      await emulator.waitFor(() => leavesSocket || emulator.sockets === 0, "the socket is closed");
      expect(emulator.counts.runsAbandoned).toBe(emulator.counts.runsStarted);
      expect(emulator.violations).toEqual([]);
    },
  );

  test("while another waits behind it makes room", async () => {
    await using langfast = await openLangfast({
      emulator: { script: { fault: { after: 0, how: "silence" } } },
    });
    const { emulator, upstream } = langfast;
    const first = testCall();
    const second = testCall();
    const answers = [
      answerTo(upstream, asking("1"), first.call),
      answerTo(upstream, asking("2"), second.call),
      answerTo(upstream, asking("3")),
    ];
    await emulator.waitFor(() => emulator.runs.length === 1, "the first run");
    second.abort(new Error("left in the queue"));
    expect((await answers[1]!).error).toMatchObject({ message: "left in the queue" });
    emulator.script = {};
    first.abort();
    expect((await answers[2]!).text).toBe("3");
    expect(emulator.runs.map(({ text }) => text)).toEqual(["1", "3"]);
  });

  test("by no longer reading ends the run, too", async () => {
    await using langfast = await openLangfast({
      emulator: { script: { fault: { after: 4, how: "silence" } } },
    });
    const { emulator, upstream } = langfast;
    for await (const event of upstream.chat(asking("#gen 1 500"), testCall().call)) {
      expect(event.type).toBe("text");
      break;
    }
    await emulator.waitFor(() => emulator.counts.runsAbandoned === 1, "the run is abandoned");
    expect(upstream.status()).toMatchObject({ sockets: { runs: 0 } });
  });

  test("before it asked costs nothing", async () => {
    await using langfast = await openLangfast();
    const caller = testCall();
    caller.abort(new Error("gone"));
    expect((await answerTo(langfast.upstream, asking("1"), caller.call)).error).toMatchObject({
      message: "gone",
    });
    expect(langfast.emulator.counts.runsStarted).toBe(0);
  });
});

describe("an abandoned run", () => {
  test.each([true, false])("reaches no later one of its credential (ids: %j)", async (named) => {
    const silent = { fault: { after: 4, how: "silence" }, namesExecution: named, namesJob: named } as const;
    const clock = new FakeClock();
    await using langfast = await openLangfast({
      emulator: { script: silent },
      options: { prompt_id: "auto" },
      timing: { clock },
    });
    const { emulator, upstream } = langfast;
    const first = testCall();
    for await (const event of upstream.chat(asking("#gen 1 500"), first.call)) {
      expect(event.type).toBe("text");
      break;
    }
    await emulator.waitFor(() => emulator.sockets === 0, "the first's socket is closed");

    // The service goes on sending the first run's text to its user, wherever that is now.
    const { jobId, userId, text } = emulator.runs[0]!;
    const chunk = { content: text, status: "completed", ...(named ? { executionId: jobId } : {}) };
    emulator.script = {
      namesExecution: named,
      namesJob: named,
      createPrompt: { delay: 30 },
      // Where there are ids, also while the second run speaks.
      before: (event, run) => {
        if (named && event > 0) emulator.emit(run.userId, "execution:chunk", chunk);
        return undefined;
      },
    };
    const second = answerTo(upstream, asking("the second"));
    // Without ids the credential is kept until the first run's events are no longer expected.
    await clock.advance(9_999);
    expect(upstream.status()).toMatchObject({ credentials: { waiting: named ? 0 : 1 } });
    await clock.advance(2);
    await emulator.waitFor(
      () => emulator.sockets === 1 && emulator.calls.createPrompt === 2,
      "the second's socket",
    );
    emulator.emit(userId, "execution:chunk", chunk);
    emulator.emit(userId, "completion_finished");
    expect(await second).toMatchObject({ text: "the second", error: undefined });
    expect(emulator.counts.signups).toBe(1);
    expect(upstream.status()).not.toMatchObject({ dropped_events: { late: 0, stray: 0 } });
  });

  test("without ids doesn't delay closing the upstream", async () => {
    const script = { fault: { after: 4, how: "silence" }, namesExecution: false, namesJob: false } as const;
    await using langfast = await openLangfast({ emulator: { script }, timing: { clock: new FakeClock() } });
    const { host, upstream } = langfast;
    for await (const event of upstream.chat(asking("#gen 1 500"), testCall().call)) {
      expect(event.type).toBe("text");
      break;
    }
    expect(JSON.stringify(upstream.status())).toContain('"leases":1');
    await host.close();
    expect(JSON.stringify(upstream.status())).not.toContain('"leases":1');
  });

  test("beside others leaves their socket to them, and what it still says is dropped and counted", async () => {
    await using langfast = await openLangfast();
    const { emulator, upstream } = langfast;
    await answerTo(upstream, asking("first"));
    const gate = Promise.withResolvers<void>();
    emulator.script = { before: (event) => (event === 2 ? gate.promise : undefined) };
    const leaving = testCall();
    const left = answerTo(upstream, asking("#gen 1 200"), leaving.call);
    const stayed = answerTo(upstream, asking("#gen 2 200"));
    await emulator.waitFor(
      () => emulator.runs.filter(({ framesSent }) => framesSent === 2).length === 2,
      "both speak",
    );
    leaving.abort();
    await left;
    expect(emulator.sockets).toBe(1);
    gate.resolve();
    const { text, error } = await stayed;
    expect(error).toBeUndefined();
    expect(text).toBe(emulator.runs[2]!.text);
    expect(upstream.status()).not.toMatchObject({ dropped_events: { late: 0, stray: 0 } });
    await emulator.waitFor(() => emulator.sockets === 0, "the spoilt socket is closed when it is empty");
  });
});
