/** Thrown when a rule is broken. The message tells the plugin's author what was observed. */
export class RuleViolation extends Error {
  constructor(what: string) {
    super(what);
    this.name = "RuleViolation";
  }
}

/** Thrown when a rule doesn't apply to this plugin. The message is the reason. */
export class NotApplicable extends Error {
  constructor(why: string) {
    super(why);
    this.name = "NotApplicable";
  }
}

/** Formats an error: its class, its code if it has one, its message. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return `the value ${String(error)}`;
  const code: unknown = "code" in error ? error.code : undefined;
  return `${error.name}${typeof code === "string" ? ` \`${code}\`` : ""} "${error.message}"`;
}

/** Quotes a text for a message, and shortens it. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 60)} … ${text.slice(-15)}` : text);
}
