import { describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseConfig } from "../../config/load.ts";
import { CodeProcess } from "../support/gateway-process.ts";
import { LAYERS } from "../support/architecture/layers.ts";
import { anchors, blocks, links, table } from "./page.ts";

/**
 * What holds for every page: links lead to what exists (within the package, if the page is in it), YAML is a valid
 * gateway.yaml, and commands exist.
 * @module
 */
const ROOT = join(import.meta.dir, "../..");
const PAGES = ["*.md", "{config,docs,examples,packages,plugins}/**/*.md"]
  .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync(ROOT)])
  .filter((path) => !path.includes("node_modules"))
  .toSorted();
/** The pages for users, whose YAML and commands can be tried as they are. */
const FOR_USERS = [
  "README.md",
  ..."configuration api routing keys-and-limits cache errors operations"
    .split(" ")
    .map((name) => `docs/${name}.md`),
];

interface Manifest {
  readonly files: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
}

const { files, scripts } = (await Bun.file(join(ROOT, "package.json")).json()) as Manifest;

function read(path: string): Promise<string> {
  return Bun.file(join(ROOT, path)).text();
}

/** Whether a file or folder is in the published package. npm puts README and LICENSE into it by itself. */
function isShipped(path: string): boolean {
  if (path === "README.md" || path === "LICENSE" || path === "package.json") return true;
  const isOf = (pattern: string) =>
    path === pattern || path.startsWith(`${pattern}/`) || new Bun.Glob(pattern).match(path);
  const left = files.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
  return files.some(isOf) && !left.some(isOf);
}

test("all pages are found", () => {
  for (const page of [...FOR_USERS, "README.zh-CN.md", "docs/README.md", "plugins/openai/README.md"])
    expect(PAGES).toContain(page);
});

test("the index names every page of docs", async () => {
  const named = links(await read("docs/README.md"));
  const pages = PAGES.filter((path) => path.startsWith("docs/") && path !== "docs/README.md");
  expect(pages.filter((path) => !named.includes(path.slice("docs/".length)))).toEqual([]);
});

test.each(PAGES)("%s links to what exists", async (page) => {
  const broken: string[] = [];
  for (const link of links(await read(page))) {
    const [target = "", anchor] = link.split("#");
    const path = target === "" ? join(ROOT, page) : join(ROOT, dirname(page), target);
    const isThere =
      existsSync(path) && (anchor === undefined || anchors(await Bun.file(path).text()).includes(anchor));
    if (!isThere) broken.push(link);
  }
  expect(broken).toEqual([]);
});

test.each(PAGES.filter(isShipped))("%s links to nothing that its package lacks", async (page) => {
  const targets = links(await read(page))
    .map((link) => link.replace(/#.*/, ""))
    .filter((link) => link !== "")
    .map((link) => relative(ROOT, join(ROOT, dirname(page), link)));
  const missing = targets.filter((path) => {
    // A folder is there if anything in it is.
    const isFolder = statSync(join(ROOT, path)).isDirectory();
    return !isShipped(path) && !(isFolder && files.some((file) => file.startsWith(`${path}/`)));
  });
  expect(missing).toEqual([]);
});

describe.each(FOR_USERS)("%s", (page) => {
  test("has only YAML that gateway.yaml takes", async () => {
    const problems = blocks(await read(page))
      .filter(({ language }) => language === "yaml")
      .flatMap(({ text }) => parseConfig("gateway.yaml", withUpstreams(text), ENVIRONMENT).problems);
    expect(problems).toEqual([]);
  });

  test("names only commands that exist", async () => {
    await using child = new CodeProcess("src/cli/main.ts", ["help"]);
    const { stdout: usage } = await child.ended(30_000);
    const shell = blocks(await read(page))
      .filter(({ language }) => language === "sh")
      .map(({ text }) => text)
      .join("\n");
    const ran = [...shell.matchAll(/bun(?:@[\d.]+)? run (?:modelyard )?((?:keys )?[\w:-]+)/g)].map(
      ([, name = ""]) => name,
    );
    const unknown = ran.filter((name) => !(name in scripts) && !new RegExp(`^ +${name}\\b`, "m").test(usage));
    expect(unknown).toEqual([]);
  });
});

const ENVIRONMENT = { API_MASTER_KEY: "sk-of-the-page", GROQ_API_KEY: "gsk-of-the-page" };

/** A piece of YAML as a whole file: with a real hash, and with the upstreams that its routes name. */
function withUpstreams(yaml: string): string {
  const whole = yaml.replace("3b1f…", "3b1f".repeat(16));
  if (/^upstreams:/m.test(whole)) return whole;
  const names = ["anthropic", "echo", "groq", "langfast", "openai"];
  return `${whole}\nupstreams:\n${names.map((name) => `  ${name}: { plugin: echo }\n`).join("")}`;
}

test("the page on architecture names every room, and only files that exist", async () => {
  const page = await read("docs/architecture.md");
  const rooms = table(page, "room", "subject").map(([room = ""]) => room.replaceAll("`", ""));
  const known = Object.keys(LAYERS)
    .filter((path) => !path.endsWith(".ts"))
    .map((path) =>
      path
        .split("/")
        .slice(0, path.startsWith("src/") ? 2 : 1)
        .join("/"),
    );
  expect(rooms.toSorted()).toEqual([...new Set([...known, "plugins"])].toSorted());
  const named = [...page.matchAll(/`((?:src|config|test|toolkit|plugins|packages|deploy)\/[\w./-]+)`/g)].map(
    ([, path = ""]) => path,
  );
  expect(named.filter((path) => !/NAME|KIND/.test(path) && !existsSync(join(ROOT, path)))).toEqual([]);
});
