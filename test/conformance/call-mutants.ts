import { mutant } from "./mutants.ts";
import type { Mutant } from "./mutants.ts";

/** Faults of the plugin over HTTP and event streams by which half an answer, or a wrong call, passes for a good one. */
export const CALLS: readonly Mutant[] = [
  mutant("what comes behind the first finish reason is dropped", "2.12 late-text", "is lost", [
    ["if (said.over) return;", "if (said.done) return;"],
  ]),
  mutant("calls are told apart by their ids", "3.8 same-id", "two calls under one id", [
    ["index: n, id", "index: seen.add(id).size - 1, id"],
    ["function* eventsOf(", "const seen = new Set<string>();\n\nfunction* eventsOf("],
  ]),
  mutant("arguments that are no JSON become none", "3.9 open-call", "and the plugin's", [
    ["arguments: json };", "arguments: whole(json) };"],
    [
      "function parsed(",
      "function whole(json: string): string {\n  try {\n    JSON.parse(json);\n    return json;\n  } catch {\n    return '{}';\n  }\n}\n\nfunction parsed(",
    ],
  ]),
];
