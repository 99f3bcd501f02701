import { describe, expect, test } from "bun:test";
import { testCall } from "../../test/support/plugin-host.ts";
import type { RunFault, RunScript } from "../../test/support/langfast-emulator/index.ts";
import { answerTo, asking, openLangfast } from "../../test/support/langfast-upstream.ts";

/** Every way in which the service is known to name runs and to end them. */
const VARIANTS: RunScript[] = [true, false].flatMap((namesJob) =>
  [true, false].flatMap((namesExecution) =>
    (["status", "finished", "both"] as const).flatMap((end) =>
      [0, Infinity].flatMap((early) => [
        { namesJob, namesExecution, end, early },
        { namesJob, namesExecution, end, early, bareFinished: true, bareEnd: true, asText: true },
      ]),
    ),
  ),
);

describe("an answer", () => {
  test("comes piece by piece, as soon as a piece is there", async () => {
    await using langfast = await openLangfast();
    const { emulator, upstream } = langfast;
    const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
    emulator.script = {
      answer: "abc",
      pieces: () => ["a", "ab", "abc"],
      before: (event) => gates[event]?.promise,
    };
    const stream = upstream.chat(asking("go"), testCall().call)[Symbol.asyncIterator]();
    for (const [index, text] of ["a", "b", "c"].entries()) {
      gates[index]!.resolve();
      expect((await stream.next()).value).toEqual({ type: "text", text });
    }
    gates[3]!.resolve();
    expect((await stream.next()).value).toMatchObject({ type: "usage", usage: { output: 3 } });
    expect((await stream.next()).value).toEqual({ type: "finish", reason: "stop" });
    expect((await stream.next()).done).toBe(true);
  });

  test.each(VARIANTS)("is whole and ends where the service does it like this: %j", async (script) => {
    await using langfast = await openLangfast({ emulator: { script } });
    const { emulator, upstream } = langfast;
    // Three, because the second and third find a socket and events of the one before.
    for (const seed of [1, 2, 3]) {
      const { text, finish, error } = await answerTo(upstream, asking(`#gen ${seed} 300`));
      expect(error).toBeUndefined();
      expect(text).toBe(emulator.runs.at(-1)!.text);
      expect(finish?.reason).toBe("stop");
    }
    expect(emulator.violations).toEqual([]);
    expect(emulator.counts.signups).toBe(1);
  });

  test("is given in one piece to a client that didn't ask for a stream", async () => {
    await using langfast = await openLangfast();
    const { events, text } = await answerTo(langfast.upstream, asking("#gen 1 400", { stream: false }));
    expect(events.map(({ type }) => type)).toEqual(["text", "usage", "finish"]);
    expect(text).toBe(langfast.emulator.runs[0]!.text);
  });

  test("keeps the upstream's own reason for its end", async () => {
    await using langfast = await openLangfast();
    langfast.emulator.script = { finishReason: "max_tokens", usage: null };
    const cut = await answerTo(langfast.upstream, asking("hello"));
    expect(cut.finish).toEqual({ type: "finish", reason: "length", native: "max_tokens" });
    expect(cut.usage).toBeUndefined();
    langfast.emulator.script = { finishReason: null };
    expect((await answerTo(langfast.upstream, asking("hello"))).finish?.reason).toBe("stop");
  });

  test("may be empty", async () => {
    await using langfast = await openLangfast({ emulator: { script: { answer: "" } } });
    const { text, finish } = await answerTo(langfast.upstream, asking("hello"));
    expect(text).toBe("");
    expect(finish?.reason).toBe("stop");
  });

  test("survives events that nobody knows, which are counted", async () => {
    await using langfast = await openLangfast({ emulator: { script: { noise: true } } });
    const { text } = await answerTo(langfast.upstream, asking("#gen 1 400"));
    expect(text).toBe(langfast.emulator.runs[0]!.text);
    expect(langfast.upstream.status()).toMatchObject({ dropped_events: { unknown: expect.any(Number) } });
    expect(JSON.stringify(langfast.upstream.status())).not.toContain('"unknown":0');
  });

  test("of a created prompt is the same, and each run has a prompt of its own", async () => {
    await using langfast = await openLangfast({ options: { prompt_id: "auto" } });
    const { emulator, upstream } = langfast;
    for (const seed of [1, 2]) {
      const { text } = await answerTo(upstream, asking(`#gen ${seed} 100`));
      expect(text).toBe(emulator.runs.at(-1)!.text);
    }
    expect(emulator.counts.prompts).toBe(2);
    expect(emulator.runs[0]!.testCases).toEqual([{ name: "modelyard", variables: [] }]);
    expect(emulator.violations).toEqual([]);
  });

  test("is cut at a stop sequence, and the run is left", async () => {
    await using langfast = await openLangfast();
    const { emulator, upstream } = langfast;
    const rest = Promise.withResolvers<void>();
    emulator.script = {
      answer: "one two three",
      pieces: () => ["one t", "one two", "one two three"],
      before: (event) => (event === 2 ? rest.promise : undefined),
    };
    const { text, finish } = await answerTo(upstream, asking("count", { stop: ["two"] }));
    expect(text).toBe("one ");
    expect(finish).toEqual({ type: "finish", reason: "stop", stopSequence: "two" });
    await emulator.waitFor(() => emulator.counts.runsAbandoned === 1, "the run is abandoned");
  });
});

describe("snapshots", () => {
  test.each(["shrink", "repeat", "empty-first"] as const)(
    "that %s lose and repeat nothing",
    async (snapshots) => {
      await using langfast = await openLangfast({ emulator: { script: { snapshots, pace: 1 } } });
      const { text, error } = await answerTo(langfast.upstream, asking("#gen 3 500"));
      expect(error).toBeUndefined();
      expect(text).toBe(langfast.emulator.runs[0]!.text);
    },
  );

  test("that rewrite what was sent end a stream with an error", async () => {
    await using langfast = await openLangfast();
    const { emulator, upstream } = langfast;
    const rest = Promise.withResolvers<void>();
    const before = (event: number): Promise<void> | undefined => (event === 6 ? rest.promise : undefined);
    emulator.script = { snapshots: "rewrite", before };
    const call = testCall().call;
    const stream = upstream.chat(asking("#gen 3 500"), call)[Symbol.asyncIterator]();
    expect((await stream.next()).value).toMatchObject({ type: "text" });
    rest.resolve();
    const left = Array.fromAsync({ [Symbol.asyncIterator]: () => stream });
    await expect(left).rejects.toMatchObject({
      code: "bad-response",
      message: expect.stringContaining("rewrote"),
    });
  });

  test("that rewrite what was said are the answer where nothing was sent", async () => {
    await using langfast = await openLangfast({ emulator: { script: { snapshots: "rewrite", pace: 1 } } });
    const { text, error } = await answerTo(langfast.upstream, asking("#gen 3 500", { stream: false }));
    expect(error).toBeUndefined();
    expect(text).toBe(`~${langfast.emulator.runs[0]!.text.slice(1)}`);
  });
});

describe("a run that breaks", () => {
  const after = 3;

  test.each(["failed", "error", "error-member", "error-text"] as const)(
    "by saying %s fails with the upstream's words, never in the text",
    async (how) => {
      const fault: RunFault = { after, how, message: "no more tokens" };
      await using langfast = await openLangfast({ emulator: { script: { fault, pace: 1 } } });
      const { text, finish, error } = await answerTo(langfast.upstream, asking("#gen 3 500"));
      expect(error).toMatchObject({ code: "failed", message: "no more tokens" });
      expect(langfast.emulator.runs[0]!.text).toStartWith(text);
      expect(finish).toBeUndefined();
    },
  );

  test.each(["drop", "disconnect"] as const)(
    "by a %s of its socket is truncated, all text kept",
    async (how) => {
      await using langfast = await openLangfast();
      const { emulator, upstream } = langfast;
      const heard = Promise.withResolvers<void>();
      emulator.script = {
        fault: { after, how },
        before: (event) => (event === 1 ? heard.promise : undefined),
      };
      const said: string[] = [];
      const reading = (async () => {
        for await (const event of upstream.chat(asking("#gen 3 480"), testCall().call)) {
          said.push(event.type === "text" ? event.text : event.type);
          heard.resolve();
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: "truncated" });
      expect(said.join("")).toBe(emulator.runs[0]!.text.slice(0, 120));
      emulator.script = {};
      expect((await answerTo(upstream, asking("again"))).text).toBe("again");
      expect(emulator.counts.signups).toBe(1);
    },
  );

  test("by losing its socket before it said anything leaves the next attempt free", async () => {
    const fault: RunFault = { after: 0, how: "drop" };
    await using langfast = await openLangfast({ emulator: { script: { fault } } });
    const { error } = await answerTo(langfast.upstream, asking("hello"));
    expect(error).toMatchObject({ code: "unavailable" });
  });

  test("by falling silent ends with its caller's deadline", async () => {
    const fault: RunFault = { after, how: "silence" };
    await using langfast = await openLangfast({ emulator: { script: { fault } } });
    const caller = testCall();
    const answer = answerTo(langfast.upstream, asking("#gen 3 500"), caller.call);
    await langfast.emulator.waitFor(() => langfast.emulator.runs[0]?.framesSent === after, "silence");
    caller.abort(new Error("idle"));
    expect((await answer).error).toMatchObject({ message: "idle" });
    await langfast.emulator.waitFor(() => langfast.emulator.sockets === 0, "the socket is closed");
  });
});

describe("a run that can't begin", () => {
  test("for want of the model doesn't touch the network", async () => {
    await using langfast = await openLangfast();
    const { error } = await answerTo(langfast.upstream, asking("hello", { model: "gpt-9" }));
    expect(error).toMatchObject({ code: "no-such-model" });
    expect(langfast.emulator.calls).toMatchObject({ initiate: 0, connect: 0, signup: 0 });
  });

  test.each([
    { fault: { status: 429, retryAfter: 7 }, failure: { code: "rate-limited", retryAfterMs: 7000 } },
    { fault: { status: 400, body: { error: "no" } }, failure: { code: "bad-request" } },
    {
      fault: { status: 500, body: { error: "out of order" } },
      failure: { code: "failed", message: "out of order" },
    },
    {
      fault: { status: 403, body: { error: "this model needs a paid plan" } },
      failure: { code: "unsupported", param: "model" },
    },
    { fault: { status: 503 }, failure: { code: "unavailable" } },
    { fault: { body: "<html>" }, failure: { code: "bad-response" } },
    { fault: { status: 302 }, failure: { code: "bad-response" } },
  ])("because of the answer $fault.status fails as $failure.code", async ({ fault, failure }) => {
    await using langfast = await openLangfast({ emulator: { script: { initiate: { ...fault } } } });
    const { error, events } = await answerTo(langfast.upstream, asking("hello"));
    expect(error).toMatchObject(failure);
    expect(events).toEqual([]);
  });

  test("because a premium model is refused leaves the credential in peace", async () => {
    await using langfast = await openLangfast({ emulator: { script: { refusePremium: true } } });
    const { error } = await answerTo(langfast.upstream, asking("hello", { model: "gpt-4" }));
    expect(error).toMatchObject({ code: "unsupported", param: "model" });
    expect((await answerTo(langfast.upstream, asking("hello"))).text).toBe("hello");
    expect(langfast.emulator.counts).toMatchObject({ signups: 1, refreshes: 0 });
  });

  test.each([
    { status: 401, code: "rejected" },
    { status: 400, code: "unavailable" },
    { status: 429, code: "rate-limited" },
    { status: 503, code: "unavailable" },
  ])("because its socket is refused with $status fails as $code", async ({ status, code }) => {
    await using langfast = await openLangfast({ emulator: { script: { connect: { status, times: 1 } } } });
    expect((await answerTo(langfast.upstream, asking("hello"))).error).toMatchObject({ code });
    expect(langfast.emulator.counts.runsStarted).toBe(0);
  });

  test("because nothing listens fails as unreachable", async () => {
    await using langfast = await openLangfast({ options: { socket_url: "http://127.0.0.1:1" } });
    expect((await answerTo(langfast.upstream, asking("hello"))).error).toMatchObject({ code: "unreachable" });
  });

  test("because the prompt can't be created fails without waiting for the socket", async () => {
    const script = {
      createPrompt: { status: 500, body: { message: "no prompts" } },
      connect: { hang: true },
    } as const;
    await using langfast = await openLangfast({ emulator: { script }, options: { prompt_id: "auto" } });
    const { error } = await answerTo(langfast.upstream, asking("hello"));
    expect(error).toMatchObject({ code: "failed", message: "no prompts" });
  });
});
