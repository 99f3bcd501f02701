import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ERROR_CODES } from "../../src/errors/gateway-error.ts";
import { startGateway } from "../support/gateway.ts";

/**
 * What the front page promises: that its plugin works, its codes and links exist, and its translation says the same.
 * @module
 */
const ROOT = join(import.meta.dir, "../..");
const ENGLISH = await Bun.file(join(ROOT, "README.md")).text();
const CHINESE = await Bun.file(join(ROOT, "README.zh-CN.md")).text();

const BLOCK = /^```(\w*)\n([^]*?)^```$/gm;
const COMMENT = /(?:^|[ \t]+)(?:#|\/\/) .*$/gm;

interface Block {
  readonly language: string;
  readonly code: string;
}

function blocks(page: string): Block[] {
  return [...page.matchAll(BLOCK)].map(([, language = "", code = ""]) => ({ language, code }));
}

function withoutComments({ language, code }: Block): Block {
  return { language, code: code.replace(COMMENT, "") };
}

const prose = (page: string) => page.replace(BLOCK, "");

/** The level of each heading, from the top. */
function headings(page: string): number[] {
  return [...prose(page).matchAll(/^(#+) /gm)].map(([, marks = ""]) => marks.length);
}

/** The tables, each as its lines. */
function tables(page: string): string[][] {
  return [...prose(page).matchAll(/(?:^\|.*\n)+/gm)].map(([table]) => table.trimEnd().split("\n"));
}

function links(page: string): string[] {
  const all = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return all.filter((target) => !/^(?:[a-z]+:|#)/.test(target));
}

/** The table of errors, each code as `400 invalid_json`; what follows a colon or a semicolon explains. */
function errorTable(page: string): string[] {
  return tables(page)
    .flat()
    .flatMap((line) => {
      const [, status = "", cell = ""] = /^\| (\d{3}) +\| (.*)\|$/.exec(line) ?? [];
      const [codes = ""] = cell.split(/[:;：；]/);
      return [...codes.matchAll(/`(\w+)`/g)].map(([, code = ""]) => `${status} ${code}`);
    });
}

test("the translation has the same code, but for its comments", () => {
  expect(blocks(ENGLISH).length).toBeGreaterThan(10);
  expect(blocks(CHINESE).map(withoutComments)).toEqual(blocks(ENGLISH).map(withoutComments));
});

test("the translation has the same headings and tables", () => {
  expect(headings(CHINESE)).toEqual(headings(ENGLISH));
  const rows = tables(ENGLISH).map((table) => table.length);
  expect(rows.length).toBeGreaterThan(0);
  expect(tables(CHINESE).map((table) => table.length)).toEqual(rows);
});

describe.each([
  ["README.md", ENGLISH],
  ["README.zh-CN.md", CHINESE],
])("%s", (_, page) => {
  test("links to files that exist", () => {
    expect(links(page)).not.toBeEmpty();
    expect(links(page).filter((target) => !existsSync(join(ROOT, target.replace(/#.*/, ""))))).toEqual([]);
  });

  test("names every code of an error, with its status", () => {
    const known = Object.entries(ERROR_CODES).map(([code, status]) => `${status} ${code}`);
    expect(errorTable(page).toSorted()).toEqual(known.toSorted());
  });
});

test("the parrot works as it stands there", async () => {
  const parrot = blocks(ENGLISH).find(({ code }) => code.startsWith("// parrot.ts\n"))?.code ?? "";
  const yaml = blocks(ENGLISH).find(({ code }) => code.includes("./parrot.ts"))?.code ?? "";
  await using gateway = await startGateway(yaml, { files: { "parrot.ts": parrot } });
  const response = await gateway.chat({
    model: "parrot-1",
    messages: [{ role: "user", content: "Hello" }],
  });
  expect(await response.json()).toMatchObject({
    choices: [{ message: { content: "Squawk! Hello" }, finish_reason: "stop" }],
  });
});
