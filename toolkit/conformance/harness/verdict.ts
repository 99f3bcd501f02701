/** A rule is broken. The message says what was seen, in words for the plugin's author. */
export class RuleViolation extends Error {
  constructor(what: string) {
    super(what);
    this.name = "RuleViolation";
  }
}

/** A rule has nothing to say about this plugin. The message says why. */
export class NotApplicable extends Error {
  constructor(why: string) {
    super(why);
    this.name = "NotApplicable";
  }
}

/** An error in words: its kind, its code if it has one, its message. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `the value ${String(error)}`;
  const code: unknown = "code" in error ? error.code : undefined;
  return `${error.name}${typeof code === "string" ? ` \`${code}\`` : ""} "${error.message}"`;
}

/** A text as a message shows it: quoted, and not too long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 60)} … ${text.slice(-15)}` : text);
}
