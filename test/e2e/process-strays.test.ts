import { expect, test } from "bun:test";
import { join } from "node:path";
import { GatewayFolder, startMain } from "../support/gateway-process.ts";
import { ask, CONFIGURED, folderWith, KEYS, SERVER } from "../support/process-settings.ts";
import { HELLO } from "../support/scripted-gateway.ts";
import { parseFrames, textOf } from "../support/sse-frames.ts";
import { until } from "../support/until.ts";

/**
 * Errors of a plugin that nobody can catch end nobody's answer.
 * @module
 */
const STRAY = join(import.meta.dir, "../support/plugins/stray.ts");
const UPSTREAM = `upstreams: { stray: { plugin: ${JSON.stringify(STRAY)} } }\n`;
const LOG = "telemetry: { log: json, level: debug }\n";

test("the process goes on, and so do all answers; the log tells", async () => {
  using folder = new GatewayFolder(SERVER + KEYS + LOG + UPSTREAM);
  await using gateway = startMain(folder, CONFIGURED);
  const url = await gateway.listening();
  const answers = await Promise.all(
    ["well", "forgets-a-promise", "throws-in-a-timer", "tells-of-an-error", "well"].map(async (model) =>
      parseFrames(await (await ask(url, model)).text()),
    ),
  );
  for (const frames of answers) expect([textOf(frames), frames.data.at(-1)]).toEqual(["Hello", "[DONE]"]);

  const broken = parseFrames(await (await ask(url, "throws-what-cannot-be-shown")).text());
  expect(broken.data.at(-1)).toContain("upstream_bad_response");
  expect((await ask(url, "well")).status).toBe(200);

  const said = ["from a promise", "from a timer", "from an event", "something that can't be shown"];
  await until(() => said.every((words) => gateway.stderr.includes(words)), "the log");
  // At the level info it says where, and not what: that may be a client's.
  const lines = gateway.stderr
    .split("\n")
    .filter((line) => line.includes("uncaught error; the gateway continues"));
  expect(lines.filter((line) => line.includes('"level":"error"') && line.includes("stray.ts"))).toHaveLength(
    3,
  );
});

test("a log that nobody reads any more stops nobody", async () => {
  using folder = folderWith({ hello: HELLO }, SERVER + KEYS);
  await using gateway = startMain(folder, CONFIGURED);
  const url = await gateway.listening();
  expect((await ask(url, "hello")).status).toBe(200);
  await until(() => gateway.stderr.includes("request answered"), "a line of the log");
  await gateway.closeStderr();
  // As many as take several times as long as lines wait for one another.
  for (let time = 0; time < 50; time++) {
    const frames = parseFrames(await (await ask(url, "hello")).text());
    expect(frames.data.at(-1)).toBe("[DONE]");
  }
  gateway.signal("SIGTERM");
  expect((await gateway.ended()).code).toBe(0);
});
