import type { JsonObject, Logger } from "./contract/index.ts";

export const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

export interface LogSettings {
  readonly log: "pretty" | "json";
  readonly level: Level;
  /** Removes secrets from a finished line. */
  readonly redact: (line: string) => string;
}

/** A logger that can be narrowed to a part of the program. */
export interface GatewayLogger extends Logger {
  /** The same log, each line with these fields too. */
  child(fields: JsonObject): GatewayLogger;
}

/**
 * Writes one line an entry to stderr, as JSON or for the eye. Lines of one turn of the event loop leave in
 * one write, so that logging costs a request next to nothing.
 */
export function createLogger(settings: LogSettings): GatewayLogger {
  const format = settings.log === "json" ? formatJson : formatPretty;
  const lowest = LEVELS.indexOf(settings.level);
  return new LineLogger({}, (level, message, fields) => {
    if (LEVELS.indexOf(level) >= lowest)
      enqueue(settings.redact(format({ level, message, fields: fields() })));
  });
}

/**
 * Logs an unforeseen error: where it came from, and what it said only at the level debug, because it may repeat what
 * a client has said.
 */
export function logUnforeseen(log: GatewayLogger, message: string, error: unknown): void {
  log.error(`${message}; at the level debug the log says what`, { error: stackOf(error) });
  log.debug(`${message}, and this is what`, {
    error: error instanceof Error ? error.message : String(error),
  });
}

/** An error's stack without its message. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return `no Error, but of type ${typeof error}`;
  const { name, message, stack = "" } = error;
  const at = stack.indexOf(message);
  // A message that was changed afterwards doesn't tell where that in the stack ends.
  return at < 0 ? name : stack.slice(0, at) + stack.slice(at + message.length);
}

interface Entry {
  readonly level: Level;
  readonly message: string;
  readonly fields: JsonObject;
}

/** `fields` are put together only for an entry that is written. */
type Write = (level: Level, message: string, fields: () => JsonObject) => void;

class LineLogger implements GatewayLogger {
  readonly #fixed: JsonObject;
  readonly #write: Write;

  constructor(fixed: JsonObject, write: Write) {
    this.#fixed = fixed;
    this.#write = write;
  }

  debug(message: string, fields?: JsonObject): void {
    this.#write("debug", message, () => ({ ...this.#fixed, ...fields }));
  }

  info(message: string, fields?: JsonObject): void {
    this.#write("info", message, () => ({ ...this.#fixed, ...fields }));
  }

  warn(message: string, fields?: JsonObject): void {
    this.#write("warn", message, () => ({ ...this.#fixed, ...fields }));
  }

  error(message: string, fields?: JsonObject): void {
    this.#write("error", message, () => ({ ...this.#fixed, ...fields }));
  }

  child(fields: JsonObject): GatewayLogger {
    return new LineLogger({ ...this.#fixed, ...fields }, this.#write);
  }
}

function formatJson({ level, message, fields }: Entry): string {
  return JSON.stringify({ time: new Date().toISOString(), level, message, ...fields });
}

function formatPretty({ level, message, fields }: Entry): string {
  const time = new Date().toISOString().slice(11, 23);
  const rest = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        ` ${name}=${typeof value === "string" ? quoteIfNeeded(value) : JSON.stringify(value)}`,
    );
  return `${time} ${level.padEnd(5)} ${singleLine(message)}${rest.join("")}`;
}

function quoteIfNeeded(value: string): string {
  return /^[\w.:/*@+-]+$/.test(value) ? value : JSON.stringify(value);
}

// What an upstream or a client said must not be able to forge a line of its own.
function singleLine(message: string): string {
  return message.replace(/[\r\n]+/g, " ");
}

let queue: string[] = [];

function enqueue(line: string): void {
  if (queue.length === 0) setImmediate(flushLog);
  queue.push(line);
}

/** Writes what is still queued; called by itself, and before the process exits. */
export function flushLog(): void {
  if (queue.length === 0) return;
  const lines = queue.join("\n");
  queue = [];
  process.stderr.write(`${lines}\n`);
}
