import { describe, expect, test } from "bun:test";
import { answerTo, asking, openLangfast } from "../../../test/support/langfast-upstream.ts";

describe("a credential", () => {
  test("carries one run at a time until the service has shown that it names them, then many", async () => {
    await using langfast = await openLangfast();
    const { emulator, upstream } = langfast;
    const gates = new Map(["1", "2", "3"].map((name) => [name, Promise.withResolvers<void>()]));
    emulator.script = {
      before: (event, { text }) => (event === 0 ? gates.get(text)?.promise : undefined),
    };
    const answers = ["1", "2", "3"].map((name) => answerTo(upstream, asking(name)));
    await emulator.waitFor(() => emulator.runs.length === 1, "the first run");
    expect(upstream.status()).toMatchObject({ runs_told_apart_by_id: false, credentials: { waiting: 2 } });
    gates.get("1")!.resolve();
    // Both at once, although they have waited for the credential to themselves.
    await emulator.waitFor(() => emulator.runs.length === 3, "the other runs");
    expect(upstream.status()).toMatchObject({ runs_told_apart_by_id: true, sockets: { open: 1, runs: 2 } });
    gates.get("3")!.resolve();
    gates.get("2")!.resolve();
    expect((await Promise.all(answers)).map(({ text }) => text)).toEqual(["1", "2", "3"]);
    expect(emulator.socketsOpened).toBe(1);
  });

  test("carries one run at a time where chunks have no ids, each on a socket of its own", async () => {
    const script = { namesExecution: false };
    await using langfast = await openLangfast({ emulator: { script } });
    const { emulator, upstream } = langfast;
    const seeds = [1, 2, 3, 4, 5];
    const answers = await Promise.all(seeds.map((seed) => answerTo(upstream, asking(`#gen ${seed} 200`))));
    expect(answers.map(({ text }) => text)).toEqual(emulator.runs.map(({ text }) => text));
    expect(emulator.runs.some(({ overlapped }) => overlapped)).toBe(false);
    expect(emulator.socketsOpened).toBeGreaterThanOrEqual(5);
    expect(emulator.violations).toEqual([]);
  });

  test("carries one run at a time where only the end has no id", async () => {
    const script = { end: "finished", bareFinished: true } as const;
    await using langfast = await openLangfast({ emulator: { script } });
    const { emulator, upstream } = langfast;
    const answers = await Promise.all(["1", "2", "3"].map((text) => answerTo(upstream, asking(text))));
    expect(answers.map(({ text, finish }) => [text, finish?.reason])).toEqual([
      ["1", "stop"],
      ["2", "stop"],
      ["3", "stop"],
    ]);
    expect(emulator.runs.some(({ overlapped }) => overlapped)).toBe(false);
    expect(emulator.socketsOpened).toBe(1);
  });

  test("goes back to one run at a time when the service stops naming them", async () => {
    await using langfast = await openLangfast();
    const { emulator, upstream } = langfast;
    await answerTo(upstream, asking("first"));
    expect(upstream.status()).toMatchObject({ runs_told_apart_by_id: true });
    emulator.script = { namesExecution: false, namesJob: false };
    await answerTo(upstream, asking("second"));
    expect(upstream.status()).toMatchObject({ runs_told_apart_by_id: false });
    const answers = await Promise.all(["3", "4"].map((text) => answerTo(upstream, asking(text))));
    expect(answers.map(({ text }) => text)).toEqual(["3", "4"]);
    expect(emulator.runs.slice(2).some(({ overlapped }) => overlapped)).toBe(false);
  });

  test("drops a chunk without an id that may be of either run, rather than guess", async () => {
    await using langfast = await openLangfast();
    const { emulator, upstream } = langfast;
    await answerTo(upstream, asking("first"));
    const gate = Promise.withResolvers<void>();
    emulator.script = { before: () => gate.promise };
    const answers = ["one", "two"].map((text) => answerTo(upstream, asking(text)));
    await emulator.waitFor(() => emulator.runs.length === 3, "two runs at once");
    emulator.emit(emulator.users[0]!.id, "execution:chunk", { content: "whose?", status: "running" });
    emulator.emit(emulator.users[0]!.id, "completion_finished");
    gate.resolve();
    expect((await Promise.all(answers)).map(({ text }) => text)).toEqual(["one", "two"]);
    expect(upstream.status()).toMatchObject({ dropped_events: { stray: 2 } });
  });

  test("opens one socket for all that wait for it, and closes it when nobody has used it for a while", async () => {
    const times = { connect: 5_000, idle: 20 };
    await using langfast = await openLangfast({ timing: { times } });
    const { emulator, upstream } = langfast;
    await answerTo(upstream, asking("first"));
    await Promise.all(["1", "2", "3"].map((text) => answerTo(upstream, asking(text))));
    await emulator.waitFor(() => emulator.sockets === 0, "the idle socket is closed");
    expect((await answerTo(upstream, asking("later"))).text).toBe("later");
    expect(emulator.counts.signups).toBe(1);
  });

  test("whose socket doesn't open in time fails its runs", async () => {
    const times = { connect: 20, idle: 5_000 };
    await using langfast = await openLangfast({
      timing: { times },
      emulator: { script: { connect: { hang: true } } },
    });
    const { error } = await answerTo(langfast.upstream, asking("hello"));
    expect(error).toMatchObject({ code: "unavailable", message: expect.stringContaining("in time") });
  });
});
