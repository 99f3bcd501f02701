import { expect, test } from "bun:test";
import { everyUnits, generatedText, startEmulator } from "./index.ts";
import type { RunScript } from "./index.ts";
import { Client, initiate, run, runBody } from "./plain-client.ts";
import type { Chunk } from "./plain-client.ts";

test("sends cumulative chunks under the job's id and both end marks", async () => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  const answer = await run(emulator, client, { pieces: everyUnits(4) });
  expect(client.contents).toEqual(["one ", "one two ", "one two thre", "one two three"]);
  expect(client.events.at(-1)).toBe("completion_finished");
  expect(new Set(client.chunks.map((chunk) => chunk.executionId))).toEqual(
    new Set([answer.jobs?.[0]?.job_id]),
  );
  expect(client.chunks.map((chunk) => chunk.status)).toEqual(["running", "running", "running", "completed"]);
  expect(client.chunks.at(-1)).toMatchObject({ finish_reason: "stop", usage: { completion_tokens: 13 } });
  expect(emulator.runs).toMatchObject([{ state: "finished", framesSent: 5, socketOpen: true }]);
  expect(emulator.violations).toEqual([]);
});

test("early chunks arrive before the answer that names the job", async () => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  emulator.script = { early: Infinity, answerDelay: 200 };
  const order: string[] = [];
  const finished = client.next("completion_finished").then(() => order.push("finished"));
  const answer = initiate(emulator, client, runBody(client, "x")).then(() => order.push("answer"));
  await Promise.all([finished, answer]);
  expect(order).toEqual(["finished", "answer"]);
});

test("without ids neither the answer nor the events name anything", async () => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  const answer = await run(emulator, client, { namesJob: false, namesExecution: false, asText: true });
  expect(Object.keys(answer)).toEqual(["run_id"]);
  expect(client.contents.at(-1)).toBe("one two three");
  expect(client.chunks.some((chunk) => "executionId" in chunk)).toBe(false);
});

const texts: [NonNullable<RunScript["snapshots"]>, string[]][] = [
  ["normal", ["one tw", "one two thre", "one two three"]],
  ["rewrite", ["one tw", "~ne two thre", "~ne two three"]],
  ["shrink", ["one tw", "one ", "one two three"]],
  ["repeat", ["one tw", "one tw", "one two thre", "one two thre", "one two three", "one two three"]],
  ["empty-first", ["", "one tw", "one two thre", "one two three"]],
];
test.each(texts)("%s snapshots", async (snapshots, expected) => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  await run(emulator, client, { snapshots, pieces: everyUnits(6) });
  expect(client.contents).toEqual(expected);
});

test("a surrogate pair cut by a snapshot arrives as it was cut", async () => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  await run(emulator, client, { answer: "a😀b", pieces: everyUnits(2) });
  expect(client.contents).toEqual(["a\ud83d", "a😀b"]);
});

test("each way to end, and the last chunk with as much or little as scripted", async () => {
  await using emulator = await startEmulator();
  const ways: [RunScript, string][] = [
    [{ end: "status", finishReason: "length", usage: null }, "completed length"],
    [{ end: "finished" }, "running stop usage"],
    [{ end: "both", finishReason: null }, "completed usage"],
  ];
  for (const [script, expected] of ways) {
    using client = await Client.connect(emulator);
    await run(emulator, client, { ...script, noise: true, pieces: (text) => [text] }, lastEvent(script));
    await emulator.waitFor(() => emulator.runs.at(-1)?.state === "finished", "the end");
    const last = client.chunks.at(-1);
    const seen = [last?.status, last?.finish_reason, last?.usage && "usage"].filter(Boolean).join(" ");
    expect(seen).toBe(expected);
    expect(client.events).toContain("execution:progress");
  }
});

test("generated text is the same for everybody who knows seed and length", async () => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  const finished = client.next("completion_finished");
  await initiate(emulator, client, runBody(client, "please #gen 42 5000"));
  await finished;
  expect(client.contents.at(-1)).toBe(generatedText(42, 5000));
  expect(generatedText(42, 5000)).toHaveLength(5000);
  expect(generatedText(43, 5000)).not.toBe(generatedText(42, 5000));
});

const faults: [string, Partial<Chunk>][] = [
  ["failed", { status: "failed" }],
  ["error", { status: "error" }],
  ["error-member", { error: { message: "oh" } }],
  ["error-text", { error: "oh" }],
];
test.each(faults)("says that it failed by %s after so many chunks", async (how, expected) => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  const fault = { after: 2, how: how as "failed", message: "oh" };
  emulator.script = { fault };
  const third = new Promise<void>((resolve) => {
    client.socket.on("execution:chunk", () => client.chunks.length === 3 && resolve());
  });
  await initiate(emulator, client, runBody(client, "one two three"));
  await third;
  expect(client.chunks[2]).toMatchObject(expected);
  expect(emulator.runs).toMatchObject([{ state: "failed", framesSent: 2 }]);
});

test("a drop comes after the chunks before it", async () => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  await run(emulator, client, { fault: { after: 3, how: "drop" } }, "disconnect").catch(() => undefined);
  expect(client.chunks).toHaveLength(3);
  expect(emulator.counts.runsAbandoned).toBe(1);
});

test("a held event waits, other runs of the same socket don't", async () => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  const gate = Promise.withResolvers<void>();
  emulator.script.run = ({ promptMeta }) =>
    JSON.stringify(promptMeta).includes("slow")
      ? { before: (event) => (event === 1 ? gate.promise : undefined) }
      : undefined;
  await initiate(emulator, client, runBody(client, "slow"));
  await initiate(emulator, client, runBody(client, "fast"));
  await emulator.waitFor(() => emulator.runs[1]?.state === "finished", "the fast run");
  expect(emulator.runs[0]).toMatchObject({ state: "running", framesSent: 1, overlapped: false });
  expect(emulator.runs[1]?.overlapped).toBe(true);
  gate.resolve();
  await emulator.waitFor(() => emulator.counts.runsFinished === 2, "the slow run");
});

function lastEvent({ end }: RunScript): string {
  return end === "status" ? "execution:chunk" : "completion_finished";
}
