import type { Json, JsonObject, NativeErrorWords, UpstreamErrorCode } from "../contract/index.ts";
import { isObject } from "../contract/json.ts";
import { optionsOf } from "../contract/error.ts";
import { FAILURES, UpstreamError } from "../contract/index.ts";

interface ErrorOrigin {
  /** The upstream's name in gateway.yaml. */
  readonly upstream: string;
  readonly redact: (text: string) => string;
  /** Whether the client reads the upstream's own words in place of the gateway's. */
  readonly keepsWords: boolean;
}

/**
 * Returns an error for clients: without secrets, HTML pages and addresses. Failures of the gateway's own credentials get the
 * gateway's message; the upstream's is for the log.
 */
export function clientError(
  error: UpstreamError,
  { upstream, redact, keepsWords }: ErrorOrigin,
): UpstreamError {
  const own = OWN_WORDS[error.code]?.(upstream);
  const options = optionsOf(error);
  const { param, upstreamCode, native, detail = own && error.message } = options;
  return new UpstreamError(error.code, own ?? messageFor(error, upstream, redact), {
    ...options,
    param: param && redact(param),
    upstreamCode: upstreamCode && redact(upstreamCode),
    native: keepsWords && own === undefined && native ? redacted(native, redact) : undefined,
    detail: detail && redact(detail),
  });
}

function redacted(
  { type, code, details }: NativeErrorWords,
  redact: (text: string) => string,
): NativeErrorWords {
  return {
    type: type && redact(type),
    code: code && redact(code),
    details: details && redactedObject(details, redact),
  };
}

/** Masks every text in it, names included. */
function redactedObject(object: JsonObject, redact: (text: string) => string): JsonObject {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [redact(name), redactedValue(value, redact)]),
  );
}

function redactedValue(value: Json | undefined, redact: (text: string) => string): Json | undefined {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((each: Json) => redactedValue(each, redact) ?? null);
  return isObject(value) ? redactedObject(value, redact) : value;
}

const OWN_WORDS: Partial<Record<UpstreamErrorCode, (upstream: string) => string>> = {
  rejected: (id) => `the gateway's key for "${id}" was refused`,
  "out-of-credit": (id) => `the credit of the gateway's key for "${id}" is spent`,
  "no-credential": (id) => `no credential for "${id}" can be used at present`,
};

function messageFor(
  { code, message }: UpstreamError,
  upstream: string,
  redact: (text: string) => string,
): string {
  const clean = withoutPage(redact(message));
  const { blame } = FAILURES[code];
  // Refusals and limits may name an address that the client wrote.
  if (blame === "request" || blame === "credential") return clean;
  const told = clean.replaceAll(ADDRESS, "(an address)");
  return blame === "connection" ? unreached(told, upstream) : told;
}

/** Adds the upstream's name to the kit's message about a connection. */
function unreached(told: string, upstream: string): string {
  const [, what] = /^the upstream (?!")(.+)/.exec(told) ?? [];
  if (what === undefined) return told;
  const isSaid = what.startsWith("can't be reached");
  return `the upstream "${upstream}" ${isSaid ? what : `can't be reached: it ${what}`}`;
}

const ADDRESS =
  /\b[a-z]+:\/\/[^\s"'<>)]+|\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b|\[[\da-f:]*:[\da-f:]*\](:\d+)?|\b[\w.-]+:\d{2,5}\b/gi;

/** Returns a message up to the start of an HTML page. */
function withoutPage(message: string): string {
  const start = message.search(/<(!doctype|html|head|body|\?xml)\b/i);
  return start < 0 ? message : `${message.slice(0, start)}(a page)`;
}
