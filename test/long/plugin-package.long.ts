import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATIENCE_MS, run } from "../support/stranger.ts";

/**
 * The package for plugin authors, installed from its tarball under the name `modelyard` in a folder that has nothing
 * else of the project.
 * @module
 */
const ROOT = join(import.meta.dir, "../..");
const SCAFFOLD = join(ROOT, "toolkit/scaffold");
const folder = mkdtempSync(join(tmpdir(), "modelyard-author-"));
const home = join(folder, "home");
let tarball = "";

// Stricter than what the sources are written for: an author's compiler must not look into them.
const AUTHORS_TYPES = {
  compilerOptions: {
    target: "ESNext",
    module: "NodeNext",
    lib: ["ESNext", "DOM"],
    types: ["bun-types"],
    typeRoots: [join(ROOT, "node_modules")],
    noEmit: true,
    strict: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    allowImportingTsExtensions: true,
  },
  include: ["*.ts"],
};

const POOLED = `
import { credentialPool } from "modelyard/credentials";
import type { CredentialSource } from "modelyard/credentials";
import { LosslessNumber } from "modelyard/plugin";
import { parseJson } from "modelyard/kit";
import { test, expect } from "bun:test";
export type Source = CredentialSource<string>;
test("entries share their classes", () => {
  expect(typeof credentialPool).toBe("function");
  expect(parseJson("2512292042121000001")).toBeInstanceOf(LosslessNumber);
});
`;

beforeAll(async () => {
  await run(["bun", "run", "pack:plugin", folder], ROOT);
  tarball = join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "");
  mkdirSync(home);
  for (const file of ["sse/index.ts", "sse/conformance.ts", "common/options.ts", "common/request.ts"])
    copyFileSync(join(SCAFFOLD, file), join(home, file.replace(/.*\//, "")));
  copyFileSync(join(SCAFFOLD, "common/conformance-test.ts"), join(home, "conformance.test.ts"));
  await Bun.write(join(home, "pooled.test.ts"), POOLED);
  await Bun.write(join(home, "package.json"), `{ "name": "mine", "type": "module", "private": true }`);
  await Bun.write(join(home, "tsconfig.json"), JSON.stringify(AUTHORS_TYPES));
  await run(["bun", "add", "--dev", `modelyard@file:${tarball}`], home);
}, PATIENCE_MS);
afterAll(() => rmSync(folder, { recursive: true }));

test("it brings TypeBox and yaml, and nothing of the gateway", () => {
  const packages = readdirSync(join(home, "node_modules")).filter((name) => !name.startsWith("."));
  expect(packages.toSorted()).toEqual(["@sinclair", "modelyard", "yaml"]);
  const files = readdirSync(join(home, "node_modules/modelyard"), { recursive: true, encoding: "utf8" });
  expect(files.filter((file) => /\.test\.|pipeline|server|storage/.test(file))).toEqual([]);
  expect(files).toContain("LICENSE");
});

test("its entries are those of the gateway's package", async () => {
  const exportsOf = (file: string): string[] =>
    Object.keys((JSON.parse(readFileSync(file, "utf8")) as { exports: object }).exports);
  const entries = exportsOf(join(home, "node_modules/modelyard/package.json"));
  expect(entries).toEqual(exportsOf(join(ROOT, "package.json")));
});

test(
  "a plugin's types are checked with settings of the author's own",
  async () => {
    await run([join(ROOT, "node_modules/.bin/tsc"), "--noEmit", "-p", home], home);
  },
  PATIENCE_MS,
);

test(
  "a type error in the plugin is found",
  async () => {
    const wrong = `import { UpstreamError } from "modelyard/plugin";\nexport const error = new UpstreamError("tired", "no");\n`;
    await Bun.write(join(home, "wrong.ts"), wrong);
    const checking = run([join(ROOT, "node_modules/.bin/tsc"), "--noEmit", "-p", home], home);
    const said = await checking.then(String, String);
    rmSync(join(home, "wrong.ts"));
    expect(said).toContain(`wrong.ts(2,40): error TS2345: Argument of type '"tired"'`);
  },
  PATIENCE_MS,
);

test(
  "a plugin's conformance test passes",
  async () => {
    const tested = await run(["bun", "test"], home);
    expect(tested).toMatch(/ [1-9]\d* pass\n 0 fail\n/);
    expect(tested).toContain("2.1 events");
  },
  PATIENCE_MS,
);

test("publint finds nothing to say about it", async () => {
  const publint = join(ROOT, "node_modules/.bin/publint");
  expect(await run(["bun", publint, "run", tarball, "--strict"], folder)).toContain("All good!");
});
