import { expect, test } from "bun:test";
import { join } from "node:path";
import { closedGate } from "../support/gate.ts";
import { startMain } from "../support/gateway-process.ts";
import { ask, CONFIGURED, folderWith, KEYS } from "../support/process-settings.ts";
import { HELLO, say, stop } from "../support/scripted-gateway.ts";
import { readFrames, textOf } from "../support/sse-frames.ts";
import { until } from "../support/until.ts";

/**
 * The process as people and orchestrators stop it.
 * @module
 */
test.each(["SIGTERM", "SIGHUP"] as const)(
  "%s lets running requests end, streamed and plain, refuses new requests, and ends with 0",
  async (signal) => {
    await using gate = closedGate();
    using folder = folderWith({
      paced: [say("before"), { gate: gate.url }, say(" and after"), stop()],
      hello: HELLO,
    });
    await using gateway = startMain(folder, CONFIGURED);
    const url = await gateway.listening();
    const plain = ask(url, "paced", { stream: false });
    const running = await ask(url, "paced");
    await gate.reached(2);
    gateway.signal(signal);
    await until(async () => (await fetch(`${url}/health/ready`)).status === 503, "the draining to begin");
    const refused = await ask(url, "hello");
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ error: { code: "shutting_down" } });
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    gate.open();
    const frames = await readFrames(running);
    expect(textOf(frames)).toBe("before and after");
    expect(frames.data.at(-1)).toBe("[DONE]");
    expect(await (await plain).json()).toMatchObject({
      choices: [{ message: { content: "before and after" } }],
    });
    expect((await gateway.ended()).code).toBe(0);
  },
);

test("a stream that outlasts server.drain ends in an error frame, and the process with 0", async () => {
  using folder = folderWith(
    { endless: [say("on and on"), { hang: true }] },
    `server: { port: 0, drain: 100ms }\n${KEYS}`,
  );
  await using gateway = startMain(folder, CONFIGURED);
  const running = await ask(await gateway.listening(), "endless");
  gateway.signal("SIGTERM");
  const frames = await readFrames(running);
  expect(JSON.parse(frames.data.at(-1) ?? "")).toMatchObject({ error: { code: "shutting_down" } });
  expect(frames.text).not.toContain("[DONE]");
  expect((await gateway.ended()).code).toBe(0);
});

// npm ends on SIGTERM at once and passes it on to nobody; `exec -a` gives a shell the name that npm gives itself.
test.if(process.platform === "linux")(
  "a gateway whose npx is ended lets running answers end, too",
  async () => {
    await using gate = closedGate();
    using folder = folderWith({ slow: [say("first "), { gate: gate.url }, say("last"), stop()] });
    const start = `"${process.execPath}" src/main.ts --config "${folder.config}" & wait`;
    const npx = Bun.spawn(["bash", "-c", `exec -a "npm exec bun" bash -c '${start}'`], {
      cwd: join(import.meta.dir, "../.."),
      env: { PATH: process.env["PATH"] ?? "", ...CONFIGURED },
      stdout: "pipe",
      stderr: "inherit",
    });
    const banner = npx.stdout.getReader();
    let said = "";
    while (!/http:\S+/.test(said)) said += new TextDecoder().decode((await banner.read()).value);
    const url = /http:\S+?(?=\/v1|\s)/.exec(said)?.[0] ?? "";
    const running = await ask(url, "slow");
    await gate.reached();
    npx.kill("SIGKILL");
    await until(async () => (await fetch(`${url}/health/ready`)).status === 503, "the draining to begin");
    gate.open();
    expect(textOf(await readFrames(running))).toBe("first last");
    await until(
      () =>
        fetch(url).then(
          () => false,
          () => true,
        ),
      "the gateway's end",
    );
  },
);

test("a second SIGINT doesn't wait", async () => {
  using folder = folderWith({ endless: [say("on and on"), { hang: true }] });
  await using gateway = startMain(folder, CONFIGURED);
  const url = await gateway.listening();
  const running = await ask(url, "endless");
  gateway.signal("SIGINT");
  await until(async () => (await fetch(`${url}/health/ready`)).status === 503, "the draining to begin");
  gateway.signal("SIGINT");
  expect((await gateway.ended(5_000)).code).toBe(1);
  await running.text().catch(() => undefined);
});

/** As `bun run` sets it. */
const SCRIPT = { npm_lifecycle_event: "start" };

test("a signal that comes twice, as through `bun run`, lets running answers end", async () => {
  await using gate = closedGate();
  using folder = folderWith({ slow: [say("first "), { gate: gate.url }, say("last"), stop()] });
  await using gateway = startMain(folder, { ...CONFIGURED, ...SCRIPT });
  const url = await gateway.listening();
  const running = await ask(url, "slow");
  // The kernel makes one of two of the same name that come together.
  gateway.signal("SIGINT");
  gateway.signal("SIGTERM");
  await until(async () => (await fetch(`${url}/health/ready`)).status === 503, "the draining to begin");
  gate.open();
  expect(textOf(await readFrames(running))).toBe("first last");
  expect((await gateway.ended(5_000)).code).toBe(0);
});

test("a third signal doesn't wait, though `bun run` may have repeated one", async () => {
  using folder = folderWith({ endless: [say("on and on"), { hang: true }] });
  await using gateway = startMain(folder, { ...CONFIGURED, ...SCRIPT });
  const running = await ask(await gateway.listening(), "endless");
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) gateway.signal(name);
  expect((await gateway.ended(5_000)).code).toBe(1);
  await running.text().catch(() => undefined);
});

test("with nothing running it ends at once, idle connections or not", async () => {
  using folder = folderWith({ hello: HELLO });
  await using gateway = startMain(folder, CONFIGURED);
  await (await ask(await gateway.listening(), "hello")).text();
  gateway.signal("SIGTERM");
  expect((await gateway.ended(2_000)).code).toBe(0);
});
