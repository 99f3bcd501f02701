import { Type } from "@sinclair/typebox";
import { Duration } from "../../src/contract/options.ts";
import { Size } from "./forms.ts";
import { strict } from "./terms.ts";

/** Which answers are kept, for whom and how long. */
export const Cache = Type.Object(
  {
    max_size: Size({
      default: "64MiB",
      minimum: 0,
      description:
        "All answers in the cache, in memory; those used least recently go first. Answers that are still coming may take as much again. 0 turns it off.",
    }),
    max_entry: Size({
      default: "1MiB",
      minimum: 1,
      description:
        "The largest answer that is kept; not more than `max_size`, which is also its default where that is less. Of those who share the call of a larger one, the fastest sets the pace: who is more than 256 KiB behind him gets an error in place of the rest.",
    }),
    ttl: Duration({ default: "10m", minimum: 1, description: "How long an answer is good." }),
    mode: Type.Union([Type.Literal("off"), Type.Literal("deterministic"), Type.Literal("all")], {
      default: "deterministic",
      description:
        "Which requests use it: none, those with `temperature: 0` or a `seed`, or all that don't refuse it.",
    }),
    scope: Type.Union([Type.Literal("key"), Type.Literal("shared")], {
      default: "key",
      description: "Whether each key has answers of its own, or all keys share them.",
    }),
  },
  { ...strict, default: {}, description: "Answers that are given again when the same is asked." },
);
