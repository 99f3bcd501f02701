import { expect, test } from "bun:test";
import { startEmulator } from "./index.ts";
import { Client, initiate, post, runBody } from "./plain-client.ts";

test("an own prompt is made first and then run with a test case", async () => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  const meta = { model: "gpt-4o", messages: [{ role: "user", content: "hello" }], stream: true };
  const testCases = [{ name: "one", variables: [] }];
  const made = await post(
    emulator,
    "/rest/v1/rpc/create_prompt",
    { p_name: "p", p_icon: "openai", p_meta: meta, p_test_cases: testCases },
    client.session.access_token,
  );
  const body = { ...runBody(client, "hello"), prompt_id: await made.json(), test_cases: testCases };
  const finished = client.next("completion_finished");
  expect((await initiate(emulator, client, body)).status).toBe(200);
  await finished;
  expect(client.contents.at(-1)).toBe("hello");
  expect(emulator.counts).toMatchObject({ prompts: 1, runsFinished: 1 });
  expect(emulator.violations).toEqual([]);
});

test("what the service wouldn't take is refused and recorded", async () => {
  await using emulator = await startEmulator();
  using client = await Client.connect(emulator);
  const good = runBody(client, "x");
  const meta = good["prompt_meta"] as object;
  const bad: Record<string, unknown>[] = [
    { run_id: "1" },
    { created_by: crypto.randomUUID() },
    { prompt_id: crypto.randomUUID() },
    { test_cases: [{ name: "x", variables: [] }] },
    { prompt_meta: { ...meta, stream: false } },
    { prompt_meta: { ...meta, model: "o3", temperature: 1 } },
    { prompt_meta: { ...meta, messages: [{ role: "developer", content: "x" }] } },
    { prompt_meta: { ...meta, max_completion_tokens: 16_385 } },
    { prompt_meta: { ...meta, seed: 1 } },
  ];
  for (const change of bad) {
    const { status } = await initiate(emulator, client, { ...good, ...change });
    expect([status >= 400 && status < 500, change]).toEqual([true, change]);
  }
  expect(emulator.violations).toHaveLength(bad.length);
  expect(emulator.counts.runsStarted).toBe(0);
});

test("premium and unknown models are refused without being a violation", async () => {
  await using emulator = await startEmulator({ script: { refusePremium: true } });
  using client = await Client.connect(emulator);
  for (const [model, status] of [
    ["gpt-4", 403],
    ["gpt-9", 400],
  ] as const) {
    const body = runBody(client, "x");
    const refused = await initiate(emulator, client, {
      ...body,
      prompt_meta: { ...(body["prompt_meta"] as object), model },
    });
    expect(refused.status).toBe(status);
  }
  expect(emulator.violations).toEqual([]);
});

test("the answer to a run that was carried out can be lost or malformed", async () => {
  await using emulator = await startEmulator({ script: { initiate: { body: "{oops" } } });
  using client = await Client.connect(emulator);
  const finished = client.next("completion_finished");
  const answer = await initiate(emulator, client, runBody(client, "x"));
  expect([answer.status, await answer.text()]).toEqual([200, "{oops"]);
  await finished;
  emulator.script = { initiate: { status: 500 } };
  expect((await initiate(emulator, client, runBody(client, "x"))).status).toBe(500);
  expect(emulator.counts.runsStarted).toBe(1);
});
