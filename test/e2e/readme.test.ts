import { expect, test } from "bun:test";
import { join } from "node:path";
import { anthropic } from "../../src/dialects/anthropic/index.ts";
import type { ErrorCode } from "../../src/errors/gateway-error.ts";
import { ERROR_CODES, GatewayError } from "../../src/errors/gateway-error.ts";
import { table } from "../docs/page.ts";
import { startGateway } from "../support/gateway.ts";
import { readFrames } from "../support/sse-frames.ts";

/**
 * What the front pages promise: the first request is answered, every error code is explained, and the translation has
 * the same code, headings and tables. Links, YAML and commands are tested for all pages in test/docs.
 * @module
 */
const ROOT = join(import.meta.dir, "../..");
const ENGLISH = await Bun.file(join(ROOT, "README.md")).text();
const CHINESE = await Bun.file(join(ROOT, "README.zh-CN.md")).text();
const ERRORS = await Bun.file(join(ROOT, "docs/errors.md")).text();

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
  expect(blocks(ENGLISH).length).toBeGreaterThan(8);
  expect(blocks(CHINESE).map(withoutComments)).toEqual(blocks(ENGLISH).map(withoutComments));
});

test("the translation has the same headings and tables", () => {
  expect(headings(CHINESE)).toEqual(headings(ENGLISH));
  const rows = tables(ENGLISH).map((table) => table.length);
  expect(rows.length).toBeGreaterThan(0);
  expect(tables(CHINESE).map((table) => table.length)).toEqual(rows);
});

test("docs/errors.md names every code of an error, with its status", () => {
  const known = Object.entries(ERROR_CODES).map(([code, status]) => `${status} ${code}`);
  expect(errorTable(ERRORS).toSorted()).toEqual(known.toSorted());
});

test("docs/errors.md names every type of an error that Anthropic's clients read, with its statuses", () => {
  const told = (Object.keys(ERROR_CODES) as ErrorCode[])
    .filter((code) => code !== "client_closed_request")
    .map((code) => anthropic.error(new GatewayError(code, "words"), "req_1"))
    .map(({ status, body }) => `${(body["error"] as { type: string }).type} ${status}`);
  const named = table(ERRORS, "type", "status").flatMap(([type = "", statuses = ""]) =>
    statuses.split(", ").map((status) => `${type.replaceAll("`", "")} ${status}`),
  );
  expect(named.toSorted()).toEqual([...new Set(told)].toSorted());
});

test("the first request of the front page is answered", async () => {
  const curl = blocks(ENGLISH).find(({ code }) => code.includes("curl -N"))?.code ?? "";
  const [, path = ""] = /127\.0\.0\.1:8088(\S+)/.exec(curl) ?? [];
  const [, body = ""] = /-d '(.*)'/.exec(curl) ?? [];
  const named = [...curl.matchAll(/-H "([^:]+): ([^"]+)"/g)].map(([, name = "", value = ""]) => [
    name,
    value,
  ]);
  await using gateway = await startGateway("upstreams: { echo: { plugin: echo } }");
  const headers = named.map(([name = "", value = ""]): [string, string] => [
    name,
    value.replace("$KEY", gateway.key),
  ]);
  const { text, data } = await readFrames(await fetch(gateway.url + path, { method: "POST", headers, body }));
  expect(text).toContain("Hello!");
  expect(data.at(-1)).toBe("[DONE]");
});
