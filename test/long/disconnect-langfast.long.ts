import { expect, test } from "bun:test";
import type { Emulator } from "../support/langfast-emulator/index.ts";
import type { LangfastGateway } from "../support/langfast-gateway.ts";
import { startLangfast } from "../support/langfast-gateway.ts";
import { until } from "../support/until.ts";
import type { Client } from "../promises/clients.ts";
import { connecting, fetching } from "../promises/clients.ts";
import { expectPromptEnds } from "../promises/departures.ts";

/**
 * Nobody listens, nobody works, for an upstream that speaks Socket.IO: its run is abandoned, its credential is
 * given back.
 * @module
 */
const TIMES = 40;
const streamed = {
  model: "gpt-4o-mini",
  stream: true,
  messages: [{ role: "user", content: "one two three four five six seven" }],
};
const plain = { ...streamed, stream: false };
const hang = () => new Promise<never>(() => undefined);

test("while a credential is being made", async () => {
  await using langfast = await startLangfast();
  langfast.emulator.script = { signup: { hang: true } };
  await leaveWhen(langfast, "waiting for a credential", {
    isThere: () => langfast.status().credentials.waiting === 1,
    isOver: () => langfast.status().credentials.waiting === 0,
  });
  expect(langfast.emulator.calls.signup).toBe(1);
});

test("while the socket is being opened", async () => {
  await using langfast = await startLangfast();
  langfast.emulator.script = { connect: { hang: true } };
  await leaveWhen(langfast, "connecting", {
    isThere: () => langfast.status().sockets.connecting === 1 && langfast.status().sockets.runs === 1,
    isOver: () => langfast.status().sockets.runs === 0,
  });
});

test("before the first event of a run", async () => {
  await using langfast = await startLangfast();
  langfast.emulator.script = { before: hang };
  await leaveWhen(langfast, "langfast, before the first event", runUnderWay(langfast.emulator));
});

test("after headers went out early", async () => {
  await using langfast = await startLangfast({ limits: { earlyHeaders: 5 } });
  langfast.emulator.script = { before: hang };
  const phase = { ...runUnderWay(langfast.emulator), hasHeaders: true };
  await leaveWhen(langfast, "langfast, after early headers", phase);
});

test("in the middle of a run", async () => {
  await using langfast = await startLangfast();
  langfast.emulator.script = { before: (event) => (event < 3 ? undefined : hang()) };
  const phase = { ...runUnderWay(langfast.emulator), hasHeaders: true };
  await leaveWhen(langfast, "langfast, in mid-stream", phase);
});

test("on a plain call", async () => {
  await using langfast = await startLangfast();
  langfast.emulator.script = { before: (event) => (event < 3 ? undefined : hang()) };
  await leaveWhen(langfast, "langfast, plain", { ...runUnderWay(langfast.emulator), body: plain });
});

interface Phase {
  readonly isThere: () => boolean;
  readonly isOver: () => boolean;
  readonly body?: object;
  readonly hasHeaders?: boolean;
}

/** A run has begun, and is abandoned when its user's last socket is gone. */
function runUnderWay(emulator: Emulator): Phase {
  return {
    isThere: () => emulator.runs.at(-1)?.state === "running",
    isOver: () => emulator.runs.at(-1)?.state === "abandoned",
  };
}

/** Half of the clients abort a fetch, the other half destroys its socket. */
async function leaveWhen(langfast: LangfastGateway, phase: string, options: Phase): Promise<void> {
  const { isThere, isOver, body = streamed, hasHeaders = false } = options;
  const { gateway, emulator } = langfast;
  await expectPromptEnds({
    phase,
    times: TIMES,
    quiet: () => quiet(langfast),
    async scene(nth) {
      const client: Client = nth % 2 === 0 ? fetching(gateway, body) : connecting(gateway, body);
      await until(isThere, `a request ${phase}`);
      if (hasHeaders) await client.headers;
      const ended = until(isOver, `the end of a request ${phase}`).then(() => performance.now());
      return { client, ended };
    },
  });
  expect(emulator.violations).toEqual([]);
}

/** Nothing is left of any request: no call, no body, no run, and no credential that is lent. */
function quiet(langfast: LangfastGateway): Promise<void> {
  const { gateway } = langfast.gateway;
  return until(() => {
    const { sockets, credentials } = langfast.status();
    const leases = credentials.credentials.reduce((sum, credential) => sum + credential.leases, 0);
    return [gateway.inFlight.running, gateway.bodies.used, sockets.runs, credentials.waiting, leases].every(
      (left) => left === 0,
    );
  }, "the end of all calls, bodies, runs and leases");
}
