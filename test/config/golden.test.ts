import { expect, test } from "bun:test";
import { Glob } from "bun";
import { parseConfig } from "../../config/load.ts";
import { formatProblems } from "../../config/problem.ts";

// A golden file is YAML, a line of dashes, and the report or the settings it must lead to.
const RULE = /^-{10}\n/m;

const ENVIRONMENT = {
  SET: "set-value",
  EMPTY: "",
  EIGHTY: "80",
  YES: "true",
  SIZE: "2048",
  WAIT: "45s",
  KEY: "sk-from-the-environment",
  SHORT: "sk-env",
  WORDS: "not a number",
};

const files = [...new Glob("*.yamltest").scanSync(import.meta.dir)].toSorted();

test("there are golden files", () => {
  expect(files.length).toBeGreaterThanOrEqual(40);
});

for (const name of files) {
  test(`gateway.yaml, golden: ${name.replace(".yamltest", "").replaceAll("-", " ")}`, async () => {
    const [yaml = "", expected = ""] = (await Bun.file(`${import.meta.dir}/${name}`).text()).split(RULE);
    const loaded = parseConfig("gateway.yaml", yaml, ENVIRONMENT);
    if (expected.startsWith("{")) {
      expect(formatProblems(loaded.problems)).toBe(formatProblems([]));
      expect(JSON.parse(JSON.stringify(loaded.settings))).toEqual(JSON.parse(expected));
    } else {
      expect(`${formatProblems(loaded.problems)}\n`).toBe(expected);
      expect(loaded.settings).toBeUndefined();
    }
  });
}
