import type { Json, JsonObject } from "../../contract/index.ts";
import { asArray, asObject, singleLine, asString } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";

/** An upstream's error body, read from any of the known shapes. */
export interface ErrorBody {
  /** The upstream's message on one line; empty where there is none, and for HTML. */
  readonly message: string;
  /** A body without a message, for the log only. */
  readonly body: string;
  /** The `code` as it was written, where it is a word. */
  readonly code: string | undefined;
  /** The `type` as it was written, where it is a word. */
  readonly type: string | undefined;
  /** The `details` where they are an object of moderate size. */
  readonly details: JsonObject | undefined;
  /** The `code`, `type` and `status` where they are words, and the details' `reason`s, in lower case. */
  readonly words: readonly string[];
  /** The `code` or `status` where it is an HTTP error status. */
  readonly status: number | undefined;
  readonly param: string | undefined;
  /** Milliseconds to wait before a retry, where the body names them (Google's `RetryInfo`). */
  readonly retryAfterMs: number | undefined;
}

/**
 * Reads the error bodies of OpenAI (`{"error": {…}}`), Anthropic (`{"type": "error", "error": {…}}`), Google
 * (the same in a list, `status` as a word), FastAPI (`{"detail": …}`, in Mistral's answers below `message`), plain
 * text and HTML pages.
 */
export function parseErrorBody(body: MaybeJson): ErrorBody {
  const outer = Array.isArray(body) ? body[0] : body;
  const members = asObject(outer);
  const inner = asObject(members?.["error"]) ?? asObject(asArray(members?.["errors"])[0]) ?? members;
  const details = asArray(inner?.["details"]).map(asObject);
  const codes = [inner?.["code"], inner?.["status"], inner?.["type"], members?.["code"], members?.["type"]];
  const message = singleLine(findMessage(outer, 5));
  return {
    message,
    body: message === "" ? singleLine(typeof body === "string" ? body : textOfMembers(members)) : "",
    code: wordIn(inner?.["code"]),
    type: wordIn(inner?.["type"]),
    details: moderate(asObject(inner?.["details"])),
    words: [...codes, ...details.map((detail) => detail?.["reason"])]
      .map((code) => asString(code).toLowerCase())
      .filter((word) => word !== ""),
    status: codes.map(Number).find((code) => Number.isInteger(code) && code >= 400 && code < 600),
    param: asString(inner?.["param"]) || fieldPathOf(firstDetailOf(inner)) || undefined,
    retryAfterMs: details.map((detail) => durationMs(detail?.["retryDelay"])).find((ms) => ms !== undefined),
  };
}

/** Characters of a message that are read. */
const MAX_TEXT = 8_000;

function moderate(details: JsonObject | undefined): JsonObject | undefined {
  return details && JSON.stringify(details).length <= MAX_DETAILS ? details : undefined;
}

/** Characters of an error's details that are handed on. */
const MAX_DETAILS = 4_000;

/** Reads a duration as protocol buffers write it in JSON: `34.074s`. */
function durationMs(value: MaybeJson): number | undefined {
  const text = asString(value);
  return /^\d{1,9}(\.\d{1,9})?s$/.test(text) ? Math.ceil(Number(text.slice(0, -1)) * 1000) : undefined;
}

/** The members that may hold the message, the most specific first. */
const MESSAGE_MEMBERS = ["error", "message", "detail", "error_description", "msg", "errors", "title"];

function findMessage(value: MaybeJson, depth: number): string {
  if (typeof value === "string") return isHtml(value) ? "" : value.slice(0, MAX_TEXT);
  if (depth === 0) return "";
  if (Array.isArray(value))
    return value
      .slice(0, 5)
      .map((each: Json) => findMessage(each, depth - 1))
      .filter(Boolean)
      .join("; ");
  const members = asObject(value);
  if (!members) return "";
  for (const name of MESSAGE_MEMBERS) {
    const message = findMessage(members[name], depth - 1);
    const path = fieldPathOf(members);
    if (message !== "") return path === "" ? message : `${path}: ${message}`;
  }
  return "";
}

function wordIn(value: MaybeJson): string | undefined {
  const word = asString(value);
  return CODE.test(word) ? word : undefined;
}

/** A code that may be forwarded as `error.code`. */
const CODE = /^[a-z][\w.-]{0,63}$/i;

function textOfMembers(members: JsonObject | undefined): string {
  return members && Object.keys(members).length > 0 ? JSON.stringify(members) : "";
}

/** Returns whether a text is HTML, as from proxies and firewalls: it is made for browsers and names server details. */
function isHtml(text: string): boolean {
  return /^\s*<(!doctype|!--|html|head|body|\?xml|h1|p|center)\b/i.test(text);
}

/** Returns the first of FastAPI's validation errors. */
function firstDetailOf(members: JsonObject | undefined): JsonObject | undefined {
  return asObject(asArray(members?.["detail"] ?? asObject(members?.["message"])?.["detail"])[0]);
}

/** Returns the field that FastAPI names as `["body", "messages", 0, "content"]`: `messages[0].content`. */
function fieldPathOf(detail: JsonObject | undefined): string {
  const path = asArray(detail?.["loc"]).filter((part) => part !== "body");
  const name = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${asString(part)}`)).join("");
  return name.replace(/^\./, "");
}
