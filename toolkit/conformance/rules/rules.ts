import { ANSWER_RULES } from "./answer-rules.ts";
import { CONDUCT_RULES } from "./conduct-rules.ts";
import { NATIVE_RULES } from "./native-rules.ts";

/** A rule that every plugin must keep. */
export interface Rule {
  /** Level, number and short name: `2.4 truncated`. */
  readonly id: string;
  readonly level: Level;
  /** What must hold. */
  readonly title: string;
  /** Why it matters to those who use the gateway. */
  readonly why: string;
  /** Where it is documented. */
  readonly look: string;
}

export type Level = 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** The subject of each level. */
export const LEVELS: Readonly<Record<Level, string>> = {
  1: "answers",
  2: "stream rules and ends of answers",
  3: "tools and parameters",
  4: "cancelling and leaks",
  5: "credentials",
  6: "options, models, status",
  7: "clients of the upstream's own API",
};

const TEXTS = { ...ANSWER_RULES, ...CONDUCT_RULES, ...NATIVE_RULES } as const;

export type RuleId = keyof typeof TEXTS;

/** Every rule, in the order in which they are tested. */
export const RULES: readonly (Rule & { readonly id: RuleId })[] = (Object.keys(TEXTS) as RuleId[]).map(
  (id) => {
    const { title, why, part } = TEXTS[id];
    return { id, level: Number(id[0]) as Level, title, why, look: `docs/plugins.md#${part}` };
  },
);
