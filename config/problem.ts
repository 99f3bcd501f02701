/** One mistake in a configuration, with its position. */
export interface Problem {
  /** The path of the file as the user wrote it. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** `upstreams.langfast.timeouts.connect`, `routes[0].targets[1]`; empty for the file as a whole. */
  readonly path: string;
  /** What was found and what is expected; never a secret or a value from the environment. */
  readonly message: string;
  /** How to mend it. */
  readonly hint?: string;
}

/** Thrown for a configuration with mistakes; its message is the whole report, formatted for a terminal. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(formatProblems(problems));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** Limit of problems in a report. */
const MOST_SHOWN = 100;

/** Formats problems as text in the order of their lines, without colours and without a final line end. */
export function formatProblems(problems: readonly Problem[]): string {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const files = [...new Set(sorted.map((problem) => problem.file))].join(", ");
  const count = sorted.length === 1 ? "1 problem" : `${sorted.length} problems`;
  const shown = sorted.slice(0, MOST_SHOWN).map(formatProblem);
  const rest = sorted.length > MOST_SHOWN ? [`and ${sorted.length - MOST_SHOWN} more`] : [];
  return [`${count} in ${files}`, ...shown, ...rest].join("\n");
}

function formatProblem(problem: Problem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  const path = problem.path === "" ? "" : ` ${problem.path}`;
  const hint = problem.hint === undefined ? "" : `\n    ${problem.hint}`;
  return `${place}${path}: ${problem.message}${hint}`;
}

/**
 * Formats a path as people write it: `keys[0].name`. A key that looks like none is cut off: without its space,
 * `{ key:sk-secret }` is a key with a secret in it.
 */
export function formatPath(path: readonly (string | number)[]): string {
  return path
    .map((step, depth) =>
      typeof step === "number" ? `[${step}]` : `${depth === 0 ? "" : "."}${formatKey(step)}`,
    )
    .join("");
}

function formatKey(key: string): string {
  const [begin = ""] = /^[\w./@*+<-]{0,60}/.exec(key) ?? [];
  return begin === key ? key : `${begin}…`;
}
