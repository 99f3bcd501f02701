import type { Json, JsonObject, Logger } from "./contract/index.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;
type Level = (typeof LEVELS)[number];

interface LogSettings {
  readonly log: "pretty" | "json";
  readonly level: Level;
  /** Removes secrets from finished lines. */
  readonly redact: (lines: string) => string;
}

/** A logger that can be narrowed to a part of the program. */
export interface GatewayLogger extends Logger {
  /** The same log, each line with these fields too. */
  child(fields: JsonObject): GatewayLogger;
}

/**
 * Writes one line an entry to stderr, as JSON or for the eye. Lines that come at about the same time leave in
 * one write, so that logging costs a request next to nothing.
 */
export function createLogger({ log, level, redact }: LogSettings): GatewayLogger {
  const form = log === "json" ? JSON_FORM : PRETTY_FORM;
  const lowest = LEVELS.indexOf(level);
  return new LineLogger("", {
    form,
    write: (line) => enqueue(line, redact),
    isWritten: (candidate) => LEVELS.indexOf(candidate) >= lowest,
  });
}

/**
 * Logs an unforeseen error: where it came from, and what it said only at the level debug, because it may repeat what
 * a client has said.
 */
export function logUnforeseen(log: GatewayLogger, message: string, error: unknown): void {
  log.error(`${message}; its message is logged at the level debug`, { error: stackOf(error) });
  log.debug(`${message}: its message`, { error: messageOf(error) });
}

/** What whatever was thrown says of itself, with what only the log may have. Never throws, even where that can't be asked. */
export function messageOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error);
    const detail = "detail" in error && typeof error.detail === "string" ? ` (${error.detail})` : "";
    return `${error.message}${detail}`;
  } catch {
    return "something that can't be shown";
  }
}

/** An error's stack without its message. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return `no Error, but of type ${typeof error}`;
  const { name } = error;
  const message = messageOf(error);
  const stack = error.stack ?? "";
  const at = stack.indexOf(message);
  // A message that was changed afterwards doesn't tell where that in the stack ends.
  return at < 0 ? name : stack.slice(0, at) + stack.slice(at + message.length);
}

/** How lines look. */
interface Form {
  /** Members of a line, each with what divides it from the one before. */
  fields(fields: JsonObject): string;
  line(level: Level, message: string, fields: string): string;
}

interface Output {
  readonly form: Form;
  readonly isWritten: (level: Level) => boolean;
  readonly write: (line: string) => void;
}

class LineLogger implements GatewayLogger {
  /** The fields of each line, as they stand there. */
  readonly #fixed: string;
  readonly #output: Output;

  constructor(fixed: string, output: Output) {
    this.#fixed = fixed;
    this.#output = output;
  }

  debug(message: string, fields?: JsonObject): void {
    this.#write("debug", message, fields);
  }

  info(message: string, fields?: JsonObject): void {
    this.#write("info", message, fields);
  }

  warn(message: string, fields?: JsonObject): void {
    this.#write("warn", message, fields);
  }

  error(message: string, fields?: JsonObject): void {
    this.#write("error", message, fields);
  }

  child(fields: JsonObject): GatewayLogger {
    return new LineLogger(this.#fixed + this.#output.form.fields(fields), this.#output);
  }

  #write(level: Level, message: string, fields: JsonObject | undefined): void {
    const { form, isWritten, write } = this.#output;
    if (isWritten(level))
      write(form.line(level, message, fields ? this.#fixed + form.fields(fields) : this.#fixed));
  }
}

const JSON_FORM: Form = {
  fields(fields) {
    const members = JSON.stringify(fields).slice(1, -1);
    return members && `,${members}`;
  },
  line: (level, message, fields) =>
    `{"time":"${timeText()}","level":"${level}","message":${JSON.stringify(message)}${fields}}`,
};

const PRETTY_FORM: Form = {
  fields(fields) {
    let text = "";
    for (const name in fields) {
      const value = fields[name];
      if (value === undefined) continue;
      text += ` ${name}=${shown(value)}`;
    }
    return text;
  },
  line: (level, message, fields) =>
    `${timeText().slice(11, 23)} ${level.padEnd(5)} ${singleLine(message)}${fields}`,
};

let timeMs = 0;
let time = "";

/** What time it is, in UTC as ISO 8601 has it. A busy gateway writes many lines in the same millisecond. */
function timeText(): string {
  const now = Date.now();
  if (now !== timeMs) {
    timeMs = now;
    time = new Date(now).toISOString();
  }
  return time;
}

function shown(value: Json): string {
  if (typeof value === "string") return /^[\w.:/*@+-]+$/.test(value) ? value : JSON.stringify(value);
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

/** Lines that wait, and who takes the secrets out of them: all at once, which costs little more than one of them. */
interface Pending {
  readonly redact: (lines: string) => string;
  lines: string;
}

/** How long lines wait for others, to leave with them in one write: a busy gateway has many turns of its event loop a ms. */
const FLUSH_MS = 10;

let queue: Pending[] = [];

function enqueue(line: string, redact: Pending["redact"]): void {
  const last = queue.at(-1);
  if (last?.redact === redact) last.lines += `${line}\n`;
  else {
    if (!last) setTimeout(flushLog, FLUSH_MS);
    queue.push({ redact, lines: `${line}\n` });
  }
}

/** Writes what is still queued; called by itself, and before the process exits. */
export function flushLog(): void {
  const pending = queue;
  queue = [];
  for (const { redact, lines } of pending) process.stderr.write(redact(lines));
}

// What an upstream or a client said must not be able to forge a line of its own.
function singleLine(message: string): string {
  return /[\r\n]/.test(message) ? message.replace(/[\r\n]+/g, " ") : message;
}
