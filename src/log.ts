import type { Json, JsonObject, Logger } from "./contract/index.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;
type Level = (typeof LEVELS)[number];

interface LogSettings {
  readonly log: "pretty" | "json";
  readonly level: Level;
  /** Removes secrets from finished lines. */
  readonly redact: (lines: string) => string;
}

/** A logger that can make child loggers with more fields. */
export interface GatewayLogger extends Logger {
  /** Returns a logger that adds these fields to each line. */
  child(fields: JsonObject): GatewayLogger;
}

/** Returns a logger that writes one line per entry to stderr, as JSON or for people. Lines are batched into few writes. */
export function createLogger({ log, level, redact }: LogSettings): GatewayLogger {
  const form = log === "json" ? JSON_FORM : PRETTY_FORM;
  const lowest = LEVELS.indexOf(level);
  return new LineLogger("", {
    form,
    write: (line) => enqueue(line, redact),
    isWritten: (candidate) => LEVELS.indexOf(candidate) >= lowest,
  });
}

/** Logs an unexpected error with its stack; its message, which may repeat a client's text, only at the level debug. */
export function logUnforeseen(log: GatewayLogger, message: string, error: unknown): void {
  log.error(`${message}; its message is logged at the level debug`, { error: stackOf(error) });
  log.debug(`${message}: its message`, { error: messageOf(error) });
}

/** Returns the message of whatever was thrown, with an error's `detail`. Never throws. */
export function messageOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error);
    const detail = "detail" in error && typeof error.detail === "string" ? ` (${error.detail})` : "";
    return `${error.message}${detail}`;
  } catch {
    return "something that can't be shown";
  }
}

/** Returns an error's stack without its message. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return `no Error, but of type ${typeof error}`;
  const { name } = error;
  const message = messageOf(error);
  const stack = error.stack ?? "";
  const at = stack.indexOf(message);
  // A message that was changed later isn't part of the stack.
  return at < 0 ? name : stack.slice(0, at) + stack.slice(at + message.length);
}

/** A format of log lines. */
interface Form {
  /** Formats members, each with a leading separator. */
  fields(fields: JsonObject): string;
  line(level: Level, message: string, fields: string): string;
}

interface Output {
  readonly form: Form;
  readonly isWritten: (level: Level) => boolean;
  readonly write: (line: string) => void;
}

class LineLogger implements GatewayLogger {
  /** The formatted fields of each line. */
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

/** Returns the time in UTC as ISO 8601, cached per millisecond. */
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

/** Pending lines and their redactor, which masks all of them at once. */
interface Pending {
  readonly redact: (lines: string) => string;
  lines: string;
}

/** How long lines are collected before a write, in ms. */
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

/** Writes the pending lines; called by a timer and before the process exits. */
export function flushLog(): void {
  const pending = queue;
  queue = [];
  for (const { redact, lines } of pending) process.stderr.write(redact(lines));
}

// Text of upstreams and clients must not forge lines.
function singleLine(message: string): string {
  return /[\r\n]/.test(message) ? message.replace(/[\r\n]+/g, " ") : message;
}
