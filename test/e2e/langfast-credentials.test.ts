import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGateway } from "../support/gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import type { Emulator } from "../support/langfast-emulator/index.ts";
import { startEmulator } from "../support/langfast-emulator/index.ts";
import type { LangfastStatus } from "../support/langfast-gateway.ts";
import { until } from "../support/until.ts";

/**
 * A gateway that comes back with three credentials of before, of which the service may know nothing any more.
 * @module
 */
const KEPT = 3;

let folder: string;
let emulator: Emulator;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "modelyard-kept-"));
  emulator = await startEmulator();
  await using _first = await start();
  await emulator.waitFor(() => emulator.counts.signups === KEPT, "the credentials");
});
afterEach(async () => {
  expect(emulator.violations).toEqual([]);
  await emulator[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** A gateway over the storage of the test, when all its credentials are there. */
async function start(): Promise<RunningGateway> {
  const options = JSON.stringify({
    anon_key: emulator.anonKey,
    supabase_url: emulator.supabaseUrl,
    socket_url: emulator.socketUrl,
    credentials: { min: KEPT, max: 10 },
  });
  const gateway = await startGateway(
    `storage: { database: "sqlite:${join(folder, "state.db")}", secret: a-secret-of-this-test-alone }\n` +
      `upstreams: { langfast: { plugin: langfast, options: ${options} } }\n`,
  );
  const status = () =>
    gateway.gateway.upstreams.get("langfast")?.upstream.status?.() as unknown as LangfastStatus;
  await until(() => status().credentials.credentials.length === KEPT, "the credentials");
  return gateway;
}

async function ask(gateway: RunningGateway): Promise<{ status: number; text: string }> {
  const question = { model: "gpt-4o-mini", messages: [{ role: "user", content: "hello" }] };
  const response = await gateway.chat(question);
  return { status: response.status, text: await response.text() };
}

async function askTimes(gateway: RunningGateway, times: number): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let turn = 0; turn < times; turn++) statuses.push((await ask(gateway)).status);
  return statuses;
}

test("no request fails because all credentials of before are revoked", async () => {
  for (const { id } of emulator.users) emulator.revoke(id);
  await using gateway = await start();
  expect(await askTimes(gateway, 6)).toEqual([200, 200, 200, 200, 200, 200]);
});

test("nor do requests that come at the same time", async () => {
  for (const { id } of emulator.users) emulator.revoke(id);
  await using gateway = await start();
  const answers = await Promise.all([1, 2, 3].map(() => ask(gateway)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
});

test.each([0, 1, 2])(
  "no request fails because one of them is revoked, and the others are used: %d",
  async (nth) => {
    emulator.revoke(emulator.users[nth]!.id);
    await using gateway = await start();
    expect(await askTimes(gateway, 6)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(emulator.counts.signups).toBeLessThanOrEqual(KEPT + 1);
  },
);

test("no request fails because access tokens ended early: they are refreshed", async () => {
  for (const { id } of emulator.users) emulator.expireAccess(id);
  await using gateway = await start();
  expect(await askTimes(gateway, 6)).toEqual([200, 200, 200, 200, 200, 200]);
  expect(emulator.counts.signups).toBe(KEPT);
});

test("where all are revoked and nobody may sign up there is no credential", async () => {
  for (const { id } of emulator.users) emulator.revoke(id);
  emulator.script = { signup: { status: 429, retryAfter: 60 } };
  await using gateway = await start();
  const { status, text } = await ask(gateway);
  expect(status).toBe(503);
  expect(text).toContain("no_credential");
  expect(text).not.toContain("the prompt runner refused the connection");
});
