import { afterAll, describe, expect, test } from "bun:test";
import type { Fault } from "../promises/faults.ts";
import { FAULTS } from "../promises/faults.ts";
import { CELLS, FaultStage } from "../promises/fault-stage.ts";

/**
 * Whatever goes wrong with an upstream, in each form of request, with and without another behind it: what the
 * official client sees of it, and how many calls to upstreams it takes.
 * @module
 */
type FaultName = keyof typeof FAULTS;

const COLUMNS = ["stream, alone", "stream, with fallback", "JSON, alone", "JSON, with fallback"];

/**
 * What the client saw: an answer, or what it had heard and then the error's status and code. In parentheses the
 * calls to the faulty upstream, and where there is one, to the other.
 */
const EXPECTED: Readonly<Record<FaultName, readonly string[]>> = {
  refused: [
    "503 upstream_unavailable (3)",
    "the other's answer (1 + 1)",
    "503 upstream_unavailable (3)",
    "the other's answer (1 + 1)",
  ],
  dns: [
    "503 upstream_unavailable (3)",
    "the other's answer (1 + 1)",
    "503 upstream_unavailable (3)",
    "the other's answer (1 + 1)",
  ],
  tls: [
    "503 upstream_unavailable (3)",
    "the other's answer (1 + 1)",
    "503 upstream_unavailable (3)",
    "the other's answer (1 + 1)",
  ],
  resetFirst: [
    "503 upstream_unavailable (3)",
    "the other's answer (1 + 1)",
    "503 upstream_unavailable (3)",
    "the other's answer (1 + 1)",
  ],
  hangFirst: [
    "504 upstream_timeout (1)",
    "the other's answer (1 + 1)",
    "504 upstream_timeout (1)",
    "the other's answer (1 + 1)",
  ],
  limited: [
    "429 rate_limit_exceeded (1)",
    "the other's answer (1 + 1)",
    "429 rate_limit_exceeded (1)",
    "the other's answer (1 + 1)",
  ],
  broken: [
    "502 upstream_error (3)",
    "the other's answer (1 + 1)",
    "502 upstream_error (3)",
    "the other's answer (1 + 1)",
  ],
  overloaded: [
    "its answer (2)",
    "the other's answer (1 + 1)",
    "its answer (2)",
    "the other's answer (1 + 1)",
  ],
  html: [
    "502 upstream_bad_response (1)",
    "the other's answer (1 + 1)",
    "502 upstream_bad_response (1)",
    "the other's answer (1 + 1)",
  ],
  errorFirst: [
    "502 upstream_error (3)",
    "the other's answer (1 + 1)",
    "502 upstream_error (3)",
    "the other's answer (1 + 1)",
  ],
  errorLater: [
    '"Hello", then upstream_error (1)',
    '"Hello", then upstream_error (1 + 0)',
    "502 upstream_error (3)",
    "the other's answer (1 + 1)",
  ],
  reset: [
    '"Hello", then upstream_truncated (1)',
    '"Hello", then upstream_truncated (1 + 0)',
    "502 upstream_truncated (3)",
    "the other's answer (1 + 1)",
  ],
  close: [
    '"Hello", then upstream_truncated (1)',
    '"Hello", then upstream_truncated (1 + 0)',
    "502 upstream_truncated (3)",
    "the other's answer (1 + 1)",
  ],
  cleanEnd: [
    '"Hello", then upstream_truncated (1)',
    '"Hello", then upstream_truncated (1 + 0)',
    "502 upstream_truncated (3)",
    "the other's answer (1 + 1)",
  ],
  stall: [
    '"Hello", then upstream_timeout (1)',
    '"Hello", then upstream_timeout (1 + 0)',
    "504 upstream_timeout (1)",
    "the other's answer (1 + 1)",
  ],
  malformed: [
    '"Hello", then upstream_bad_response (1)',
    '"Hello", then upstream_bad_response (1 + 0)',
    "502 upstream_bad_response (1)",
    "the other's answer (1 + 1)",
  ],
  huge: ["502 upstream_bad_response (1)", "the other's answer (1 + 1)", "all 20 MB (1)", "all 20 MB (1 + 0)"],
};

const table = [
  `| the upstream's fault | ${COLUMNS.join(" | ")} |`,
  `| --- |${" --- |".repeat(COLUMNS.length)}`,
];
afterAll(() =>
  console.log(`what the client saw (calls to the upstream + to the fallback)\n\n${table.join("\n")}\n`),
);

describe("an upstream that fails costs a bounded number of calls and ends honestly:", () => {
  for (const [id, fault] of Object.entries(FAULTS) as [FaultName, Fault][]) {
    test(fault.name, async () => {
      await using stage = await FaultStage.set(fault);
      const cells: string[] = [];
      for (const cell of CELLS) cells.push(await stage.show(cell));
      table.push(`| ${fault.name} | ${cells.join(" | ")} |`);
      expect(cells).toEqual([...EXPECTED[id]]);
    });
  }
});
