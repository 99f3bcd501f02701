import { mutant } from "./mutants.ts";
import type { Mutant } from "./mutants.ts";

/** Faults of the plugin whose upstream gives tickets: two equal requests never look quite the same. */
export const JOBS: readonly Mutant[] = [
  mutant("a field is dropped where tickets differ", "3.4 fields", "dropped without notice: seed", [
    ["{ ...rest, heat", "{ ...rest, seed: undefined, heat"],
  ]),
  mutant("a value is translated wrongly", "3.5 values", "13 didn't reach", [
    ["temperature * 50", "temperature * 40"],
  ]),
];
