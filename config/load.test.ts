import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { configPath, loadConfig, parseConfig } from "./load.ts";
import { ConfigError, formatProblems } from "./problem.ts";
import { describeReadError } from "./document/read.ts";

const folder = await mkdtemp(join(tmpdir(), "modelyard-config-"));
afterAll(() => rm(folder, { recursive: true }));

const SMALL = "upstreams: { echo: { plugin: echo } }\n";
const shipped = `${import.meta.dir}/../gateway.yaml`;

async function problemOf(name: string, content: string | Uint8Array) {
  const file = join(folder, name);
  await Bun.write(file, content);
  const { problems, settings } = await loadConfig(file, {});
  expect(settings).toBeUndefined();
  return problems.map(({ line, message, hint }) => ({ line, message, hint }));
}

test("the shipped file loads with an empty environment, and only echo is enabled", async () => {
  const { problems, settings, upstreams } = await loadConfig(shipped, {});
  expect(formatProblems(problems)).toBe(formatProblems([]));
  expect(settings?.server).toMatchObject({ host: "127.0.0.1", port: 8088 });
  expect(settings?.keys).toEqual([]);
  expect(upstreams.map(({ id, plugin }) => [id, plugin])).toEqual([["echo", "echo"]]);
});

test("the predecessor's variables mean what they meant", async () => {
  const { settings, upstreams, secrets } = await loadConfig(shipped, {
    API_MASTER_KEY: "sk-0123456789",
    HOST: "0.0.0.0",
    PORT: "9000",
    MIN_CREDENTIALS: "1",
    MAX_CREDENTIALS: "5",
    LANGFAST_ANON_KEY: "anon",
    MODELYARD_SECRET: "hush, little secret",
  });
  expect(settings?.server).toMatchObject({ host: "0.0.0.0", port: 9000 });
  expect(settings?.keys).toEqual([{ name: "master", key: "sk-0123456789", models: ["*"], limits: {} }]);
  expect(settings?.storage.secret).toBe("hush, little secret");
  expect(secrets).toEqual(expect.arrayContaining(["sk-0123456789", "hush, little secret"]));
  expect(upstreams[1]).toMatchObject({
    id: "langfast",
    options: { anon_key: "anon", credentials: { min: "1", max: "5" } },
    path: ["upstreams", "langfast", "options"],
  });
});

test.each(["minimal", "keys", "failover"])("the example %s loads", async (name) => {
  const { problems, settings } = await loadConfig(`${import.meta.dir}/examples/${name}.yaml`, {});
  expect(formatProblems(problems)).toBe(formatProblems([]));
  expect(Object.keys(settings?.upstreams ?? {}).length).toBeGreaterThan(0);
});

test("the file is as it was named, its folder is absolute", async () => {
  const { file, directory } = await loadConfig("nowhere/gateway.yaml", {});
  expect(file).toBe("nowhere/gateway.yaml");
  expect(directory).toBe(join(process.cwd(), "nowhere"));
});

test("upstreams keep their order, and a name that every object has finds only an upstream", () => {
  const { settings } = parseConfig(
    "f",
    "upstreams:\n  z: { plugin: x }\n  a: { plugin: x }\n  1a: { plugin: x }\n",
    {},
  );
  expect(Object.keys(settings?.upstreams ?? {})).toEqual(["z", "a", "1a"]);
  expect(settings?.upstreams["constructor"]).toBeUndefined();
  expect(settings?.upstreams["__proto__"]).toBeUndefined();
});

test("a key of white space alone counts as empty", () => {
  const yaml = `${SMALL}keys: [{ name: a, key: "\${KEY}" }]\n`;
  expect(parseConfig("f", yaml, { KEY: " \n" }).settings?.keys).toEqual([]);
});

test("sound upstreams are given even when the rest of the file is wrong", () => {
  const yaml = [
    "server: { prot: 1 }",
    "upstreams:",
    "  good: { plugin: a, options: { x: 1 } }",
    "  bare: { plugin: a }",
    "  typo: { plugin: a, optoins: {} }",
    "  off: { plugin: a, enabled: false }",
    "  unset: { plugin: a, options: { key: '${NONE}' } }",
    "  unclear: { plugin: a, enabled: maybe }",
    "  nameless: { options: {} }",
    "  wrong: { plugin: 3 }",
    "  UPPER: { plugin: a }",
    "  list: []",
  ].join("\n");
  const { settings, upstreams } = parseConfig("f", yaml, {});
  expect(settings).toBeUndefined();
  expect(upstreams).toEqual([
    { id: "good", plugin: "a", options: { x: 1 }, path: ["upstreams", "good", "options"] },
    { id: "bare", plugin: "a", options: {}, path: ["upstreams", "bare", "options"] },
    { id: "typo", plugin: "a", options: {}, path: ["upstreams", "typo", "options"] },
    { id: "unset", plugin: "a", options: { key: "${NONE}" }, path: ["upstreams", "unset", "options"] },
  ]);
});

test("a missing file, a directory and a path through a file say how to go on", async () => {
  await Bun.write(join(folder, "file"), "");
  const messages = async (file: string) => (await loadConfig(file, {})).problems.map((one) => one.message);
  expect(await messages(join(folder, "missing.yaml"))).toEqual(["there is no such file"]);
  expect(await messages(join(folder, "file", "x.yaml"))).toEqual(["there is no such file"]);
  expect(await messages(folder)).toEqual(["a directory, not a file"]);
  expect(await messages("")).toEqual(["no file is named"]);
  const { problems } = await loadConfig("missing.yaml", {});
  expect(formatProblems(problems)).toBe(
    "1 problem in missing.yaml\n" +
      "missing.yaml:1:1: there is no such file\n" +
      "    name another file with --config PATH or GATEWAY_CONFIG; one to start from is gateway.yaml of Modelyard",
  );
});

test("what the system refuses for another reason is reported with its code", async () => {
  const loop = join(folder, "loop.yaml");
  await symlink(loop, loop);
  const { problems } = await loadConfig(loop, {});
  expect(problems.map((one) => one.message)).toEqual(["can't be read (ELOOP)"]);
  expect(describeReadError("EACCES").message).toBe("this user may not read it");
});

test("a file that isn't UTF-8 is reported at its first bad line", async () => {
  expect(await problemOf("latin1.yaml", Buffer.from(`# a\n${SMALL}# caf\xe9\n`, "latin1"))).toEqual([
    { line: 3, message: "not UTF-8 text", hint: "save it as UTF-8" },
  ]);
  expect(await problemOf("utf16.yaml", Buffer.from(`\uFEFF${SMALL}`, "utf16le"))).toEqual([
    { line: 1, message: "written in UTF-16", hint: "save it as UTF-8" },
  ]);
});

test("a byte-order mark and Windows line ends do no harm, and columns don't count them", async () => {
  const file = join(folder, "bom.yaml");
  await Bun.write(file, `\uFEFFsevrer: {}\r\n${SMALL}`);
  const { problems } = await loadConfig(file, {});
  expect(problems.map(({ line, column, path }) => [line, column, path])).toEqual([[1, 1, "sevrer"]]);
  await Bun.write(file, `\uFEFFserver:\r\n  port: 1\r\n${SMALL}`);
  expect((await loadConfig(file, {})).settings?.server.port).toBe(1);
});

test("a file without end is not read to its end", async () => {
  const { problems } = await loadConfig("/dev/zero", {});
  expect(problems.map((one) => one.message)).toEqual(["larger than 1 MiB"]);
});

test("deep nesting and self-made bombs end in a report", async () => {
  for (const text of ["[".repeat(10_000), "a: ".repeat(1000), `${"- ".repeat(5000)}x`, "? ".repeat(5000)]) {
    expect(parseConfig("f", text, {}).problems.length).toBeGreaterThan(0);
  }
  const nested = `x: ${"[".repeat(200)}${"]".repeat(200)}\n${SMALL}`;
  expect(parseConfig("f", nested, {}).problems.map((one) => one.message)).toContain("nested too deeply");
  const doubled = Array.from({ length: 60 }, (_, i) => `k${i}: &k${i} { <<: *k${i - 1}, a${i}: *k${i - 1} }`);
  const bomb = ["k-1: &k-1 { a: 1 }", ...doubled, SMALL].join("\n");
  expect(parseConfig("f", bomb, {}).problems.map((one) => one.message)).toContain(
    "more than 100000 values, aliases written out",
  );
});

test("of very many problems the first hundred are shown, and they take no long time", () => {
  const entries = Array.from({ length: 5000 }, (_, index) => `  - { nam: k${index} }`);
  const started = performance.now();
  const { problems } = parseConfig("f", `${SMALL}keys:\n${entries.join("\n")}\n`, {});
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(problems.length).toBe(10_000);
  expect(formatProblems(problems).split("\n")).toHaveLength(102);
  expect(formatProblems(problems)).toEndWith("\nand 9900 more");
});

test("ten thousand keys take no long time", () => {
  const keys = Array.from(
    { length: 10_000 },
    (_, index) => `  - { name: k${index}, key: sk-key-${index + 1e7} }`,
  );
  const started = performance.now();
  const { settings } = parseConfig("f", `${SMALL}keys:\n${keys.join("\n")}\n`, {});
  expect(settings?.keys.length).toBe(10_000);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test.each([
  [[], {}, "gateway.yaml"],
  [[], { GATEWAY_CONFIG: "" }, "gateway.yaml"],
  [[], { GATEWAY_CONFIG: "a.yaml" }, "a.yaml"],
  [["--config", "b.yaml"], { GATEWAY_CONFIG: "a.yaml" }, "b.yaml"],
  [["check", "--config=c=d.yaml"], {}, "c=d.yaml"],
  [["--config", "a.yaml", "--config=b.yaml"], {}, "b.yaml"],
  [["--config"], {}, ""],
  [["--configuration", "x"], {}, "gateway.yaml"],
] as const)("%j with %j names the file %j", (argv, environment, file) => {
  expect(configPath(argv, environment)).toBe(file);
});

test("a ConfigError's message is the whole report, in the order of the lines", () => {
  const at = { file: "gateway.yaml", column: 3 };
  const problems = [
    { ...at, line: 9, path: "storage", message: "second" },
    { ...at, line: 2, path: "server.port", message: "first", hint: "do this" },
  ];
  expect(new ConfigError(problems).message).toBe(
    "2 problems in gateway.yaml\n" +
      "gateway.yaml:2:3 server.port: first\n    do this\n" +
      "gateway.yaml:9:3 storage: second",
  );
});

/** Loads a damaged file and gives its report. */
function survive(bytes: readonly number[], environment: Readonly<Record<string, string>>): string {
  const { problems, settings } = parseConfig(
    "f",
    new TextDecoder().decode(new Uint8Array(bytes)),
    environment,
  );
  for (const { line, column } of problems) expect(line >= 1 && column >= 1).toBe(true);
  expect(settings === undefined).toBe(problems.length > 0);
  return formatProblems(problems);
}

test("a damaged file never throws, each problem has its place, and no report shows the environment", async () => {
  const secrets = { API_MASTER_KEY: "sk-top-secret-value", LANGFAST_ANON_KEY: "anon-top-secret-value" };
  const bytes = [...(await Bun.file(shipped).bytes())];
  const change = fc.record({
    at: fc.nat(bytes.length - 1),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(...new TextEncoder().encode("\n\t :-{}[]\"'*&!#$<"))),
    kind: fc.constantFrom("replace", "insert", "remove", "repeat"),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
      expect(survive(changes.reduce<number[]>(damage, bytes), secrets)).not.toContain("top-secret-value");
    }),
    { numRuns: 500 },
  );
});

test("wherever a file is damaged, no report shows a secret that stands in it", () => {
  const yaml = `keys:\n  - name: a\n    key: sk-top-secret-value\n  - { name: b, key: "sk-top-secret-value-2" }
storage:\n  secret: top-secret-value-3\n${SMALL}`;
  const bytes = [...new TextEncoder().encode(yaml)];
  for (const byte of new TextEncoder().encode("\n\t :-{[\"'*&!#$<|x")) {
    for (const at of bytes.keys()) {
      const inside = /secret-value/.test(yaml.slice(Math.max(0, at - 12), at + 12));
      const found = survive(inside ? bytes.toSpliced(at, 0, byte) : bytes.with(at, byte), {});
      expect(found).not.toContain("secret-value");
    }
  }
});

function damage(bytes: number[], { at, byte, kind }: { at: number; byte: number; kind: string }): number[] {
  if (kind === "insert") return bytes.toSpliced(at, 0, byte);
  if (kind === "remove") return bytes.toSpliced(at, 1 + (byte % 20));
  if (kind === "repeat") return bytes.toSpliced(at, 0, ...bytes.slice(at, at + byte));
  return bytes.with(Math.min(at, bytes.length - 1), byte);
}
