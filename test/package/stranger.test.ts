import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { CodeProcess, GatewayFolder } from "../support/gateway-process.ts";
import { installPackage, KINDS, PATIENCE_MS, run, tryPlugin } from "../support/stranger.ts";
import type { Stranger } from "../support/stranger.ts";

/**
 * What somebody does who has nothing but the package: install it, write a plugin, test it, serve it, call it. The other
 * kinds of plugins are in test/long.
 * @module
 */
const ROOT = join(import.meta.dir, "../..");

let stranger: Stranger;
beforeAll(async () => {
  stranger = await installPackage();
}, PATIENCE_MS);
afterAll(() => stranger[Symbol.dispose](), PATIENCE_MS);

test(
  "from nothing, a plugin for an event stream is written, passes its test, is served and answers",
  () => tryPlugin("sse", stranger),
  PATIENCE_MS,
);

test("the package holds neither tests nor what only its own development needs", () => {
  const home = join(stranger.folder, "home/node_modules/modelyard");
  const files = readdirSync(home, { recursive: true, encoding: "utf8" });
  expect(files.filter((file) => /\.test\.ts$|\/fixtures\/|^test\/|^bun\.lock$|^deploy/.test(file))).toEqual(
    [],
  );
  expect(files).toContain("LICENSE");
});

test("publint finds nothing to say about the package", async () => {
  const publint = join(ROOT, "node_modules/.bin/publint");
  expect(await run(["bun", publint, "run", stranger.tarball, "--strict"], stranger.folder)).toContain(
    "All good!",
  );
});

test.each([
  [["Bad Name"], 1, "is no plugin's name"],
  [["fine", "--kind", "carrier-pigeon"], 1, `there are ${KINDS.join(", ")}`],
  [["fine", "--dir", "."], 1, "exists already"],
  [[], 2, "usage:"],
])("plugin new %p is refused, with what is wrong", async (words, code, message) => {
  using elsewhere = new GatewayFolder("");
  await using refused = new CodeProcess("src/cli/main.ts", ["plugin", "new", ...words], {
    cwd: elsewhere.path,
  });
  const ended = await refused.ended();
  expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(message)]);
  expect(readdirSync(elsewhere.path)).toEqual(["gateway.yaml"]);
});
