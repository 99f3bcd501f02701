import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmulator as startHttp } from "../../examples/http/emulator.ts";
import { startEmulator as startSse } from "../../examples/sse/emulator.ts";
import { startEmulator as startWebSocket } from "../../examples/websocket/emulator.ts";
import { startGateway, TEST_KEY } from "../support/gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { CodeProcess } from "../support/gateway-process.ts";
import { readFrames } from "../support/sse-frames.ts";
import { fieldsOf, links } from "./page.ts";

/**
 * The plugins in examples/ are served as their pages say; each one's own test puts it to the conformance kit.
 * @module
 */
const ROOT = join(import.meta.dir, "../..");
const EXAMPLES = join(ROOT, "examples");
const QUESTION = { model: "small", messages: [{ role: "user", content: "Hello there!" }] };
const STARTS = { http: startHttp, sse: startSse, websocket: startWebSocket };
const SAID = {
  http: "Be brief. You said: Hello there!",
  sse: "You said: Hello there!",
  websocket: "You said: Hello there!",
};

type Kind = keyof typeof STARTS;
const KINDS = Object.keys(STARTS) as Kind[];

/** The gateway of an example's own gateway.yaml, with the plugin where it lies. */
function serve(kind: Kind, environment: Record<string, string>): Promise<RunningGateway> {
  const yaml = readFileSync(join(EXAMPLES, kind, "gateway.yaml"), "utf8");
  const plugin = join(EXAMPLES, kind, "index.ts");
  return startGateway(yaml.replace("./index.ts", plugin), {
    environment: { API_MASTER_KEY: TEST_KEY, ...environment },
  });
}

/** What a command of the gateway's prints; it must end well. */
async function said(parameters: readonly string[], url: string): Promise<string> {
  await using child = new CodeProcess("src/cli/main.ts", parameters, { environment: { UPSTREAM_URL: url } });
  const { code, stdout, stderr } = await child.ended(30_000);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

test("there is nothing else among the examples", () => {
  const folders = readdirSync(EXAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map(({ name }) => name).toSorted()).toEqual(KINDS.toSorted());
});

describe.each(KINDS)("the example %s", (kind) => {
  let gateway: RunningGateway;
  let emulator: ReturnType<(typeof STARTS)[Kind]>;
  let url: string;

  beforeAll(async () => {
    emulator = STARTS[kind](0);
    url = `${kind === "websocket" ? "ws" : "http"}://127.0.0.1:${emulator.port}`;
    gateway = await serve(kind, { UPSTREAM_URL: url });
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await emulator.stop(true);
  });

  test("answers in one piece, with the upstream's own token counts", async () => {
    const response = await gateway.chat(QUESTION);
    expect(await response.json()).toMatchObject({
      choices: [{ message: { content: SAID[kind] }, finish_reason: "stop" }],
      usage: { prompt_tokens: 5, completion_tokens: 7 },
    });
    expect(response.headers.get("x-modelyard-usage")).toBe("upstream");
  });

  test("answers in a stream", async () => {
    const { chunks, data } = await readFrames(await gateway.chat({ ...QUESTION, stream: true }));
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe(SAID[kind]);
    expect(data.at(-1)).toBe("[DONE]");
  });

  test("says that its credential is refused, without the credential", async () => {
    await using refused = await serve(kind, { UPSTREAM_URL: url, UPSTREAM_KEY: "a-wrong-credential" });
    const response = await refused.chat({ ...QUESTION, model: `${kind}-example/small` });
    expect(response.status).toBe(503);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toBe(`the gateway's key for "${kind}-example" was refused`);
    expect(error.message).not.toContain("a-wrong-credential");
  });

  test("is recorded, and what it sends has the shape of its recording", async () => {
    const folder = mkdtempSync(join(tmpdir(), "modelyard-recording-"));
    try {
      const recording = join(folder, "recording.json");
      const upstream = [`${kind}-example`, "--config", join(EXAMPLES, kind, "gateway.yaml")];
      await said(["plugin", "record", ...upstream, "--prompt", "Hello there!", "--out", recording], url);
      expect(await Bun.file(recording).text()).not.toContain("-of-the-emulator");
      expect(await said(["canary", ...upstream, "--recording", recording], url)).toContain("is the same");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);

  test("imports nothing but the three entries of the package, and files of its own", async () => {
    const folder = join(EXAMPLES, kind);
    const files = readdirSync(folder).filter((name) => name.endsWith(".ts"));
    for (const file of files) {
      const text = await Bun.file(join(folder, file)).text();
      const specifiers = [...text.matchAll(/from "([^"]+)"/g)].map(([, specifier = ""]) => specifier);
      const foreign = specifiers.filter(
        (each) => !/^(modelyard\/\w+|bun|\.\/[\w-]+(\.test)?\.ts)$/.test(each),
      );
      expect({ file, foreign }).toEqual({ file, foreign: [] });
    }
  });

  test("has a page with its options, and no other", async () => {
    const page = await Bun.file(join(EXAMPLES, kind, "README.md")).text();
    const { options } = (await import(join(EXAMPLES, kind, "options.ts"))) as {
      options: { properties: object };
    };
    expect(fieldsOf(page)).toEqual(Object.keys(options.properties));
    for (const target of links(page))
      expect(await Bun.file(join(EXAMPLES, kind, target)).exists()).toBeTrue();
  });
});
