import { mutant } from "./mutants.ts";
import type { Mutant } from "./mutants.ts";

/** Faults of the plugin over HTTP and event streams that cost long numbers their digits. */
export const DIGITS: readonly Mutant[] = [
  mutant("a call's arguments are parsed and written again", "3.6 digits", "2512292042121000001", [
    ["arguments: json };", "arguments: JSON.stringify(JSON.parse(json)) };"],
  ]),
  mutant("a request is parsed and written again", "3.6 digits", "9223372036854775807", [
    ["{ ...request, greeting }", "JSON.parse(JSON.stringify({ ...request, greeting })) as JsonObject"],
    ["ChatEvent, FinishReason", "ChatEvent, FinishReason, JsonObject"],
  ]),
];
