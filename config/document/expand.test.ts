import { expect, test } from "bun:test";
import fc from "fast-check";
import { expand } from "./expand.ts";

const environment = { NAME: "value", EMPTY: "", COLONS: "a:b:c", DOLLARS: "${NAME}", n_1: "small" };

test.each([
  ["plain", "plain", []],
  ["${NAME}", "value", ["NAME"]],
  ["a${NAME}b${n_1}c", "avaluebsmallc", ["NAME", "n_1"]],
  ["${NAME}${NAME}", "valuevalue", ["NAME"]],
  ["${EMPTY}", "", ["EMPTY"]],
  ["${NAME:-other}", "value", ["NAME"]],
  ["${NONE:-other}", "other", []],
  ["${EMPTY:-other}", "other", []],
  ["${NONE:-}", "", []],
  ["${NONE:-https://host:80/a?b=c&d#e}", "https://host:80/a?b=c&d#e", []],
  ["${NONE:-:-:+}", ":-:+", []],
  ["${NONE:- spaced\n lines }", " spaced\n lines ", []],
  ["${NAME:+yes}", "yes", []],
  ["${NONE:+yes}", "", []],
  ["${EMPTY:+yes}", "", []],
  ["${NAME:+}", "", []],
  ["${COLONS}", "a:b:c", ["COLONS"]],
  ["${DOLLARS}", "${NAME}", ["DOLLARS"]],
  ["$${NAME}", "${NAME}", []],
  ["$${", "${", []],
  ["$$${NAME}", "$${NAME}", []],
  ["a$${b}${NAME}", "a${b}value", ["NAME"]],
  ["$NAME $ $$ $(NAME) {NAME} $5", "$NAME $ $$ $(NAME) {NAME} $5", []],
  ["${NAME}}", "value}", ["NAME"]],
  ["${NONE:-a}b}", "ab}", []],
] as const)("%j becomes %j", (text, expected, variables) => {
  expect(expand(text, environment)).toEqual({ text: expected, variables: [...variables], mistakes: [] });
});

test.each([
  ["${NONE}", "NONE is not set in the environment"],
  ["${constructor}", "constructor is not set in the environment"],
  ["${__proto__}", "__proto__ is not set in the environment"],
  ["${NAME", "${ has no closing }"],
  ["a${", "${ has no closing }"],
  ["${}", "what stands between ${ and } can't be understood"],
  ["${1A}", "what stands between ${ and } can't be understood"],
  ["${A-B}", "what stands between ${ and } can't be understood"],
  ["${NAME-default}", "what stands between ${ and } can't be understood"],
  ["${NAME:?message}", "what stands between ${ and } can't be understood"],
  ["${ NAME }", "what stands between ${ and } can't be understood"],
  ["${A:-${B}}", "${A…} has another ${ inside"],
])("%j is a mistake", (text, message) => {
  expect(expand(text, environment).mistakes.map((mistake) => mistake.message)).toEqual([message]);
});

test("all unset names of a text are reported", () => {
  const { mistakes } = expand("${A}/${B:-ok}/${C}", {});
  expect(mistakes.map(({ hint }) => hint)).toEqual([
    "set A, in .env for example, or give it a default: ${A:-default}",
    "set C, in .env for example, or give it a default: ${C:-default}",
  ]);
});

test("a text without ${ stays as it is, whatever it holds", () => {
  const texts = fc.string().filter((text) => !text.includes("${"));
  fc.assert(fc.property(texts, (text) => expect(expand(text, environment).text).toBe(text)));
});

test("what the environment holds is put in unchanged", () => {
  fc.assert(fc.property(fc.string(), (held) => expect(expand("<${X}>", { X: held }).text).toBe(`<${held}>`)));
});
