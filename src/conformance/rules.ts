/** One promise that every plugin must keep. */
export interface Rule {
  /** Level and number, and a word for it: `2.3 truncated`. */
  readonly id: string;
  readonly level: Level;
  /** What must hold. */
  readonly title: string;
  /** Why it matters to those who use the gateway. */
  readonly why: string;
  /** Where to read how it is done. */
  readonly look: string;
}

export type Level = 1 | 2 | 3 | 4 | 5 | 6;
export const RULES: readonly Rule[] = [];
