import type { Json, JsonObject } from "../../contract/index.ts";
import { asArray, asObject, onOneLine, asString } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";

/** What an upstream's error body says, whatever its shape. */
export interface Complaint {
  /** In its own words, on one line; empty if it has none. A page's words are none. */
  readonly message: string;
  /** A body in which no message was found: for the log only. */
  readonly body: string;
  /** Its `code` as it wrote it, where that is a word. */
  readonly code: string | undefined;
  /** Its `code`, `type` and `status` where they are words, and its details' `reason`s, in lower case. */
  readonly words: readonly string[];
  /** Its `code` or `status` where that is an HTTP error status. */
  readonly status: number | undefined;
  readonly param: string | undefined;
  /** When to come back, in milliseconds from now, where the body says it (Google's `RetryInfo`). */
  readonly retryAfterMs: number | undefined;
}

/**
 * Reads the error bodies of OpenAI (`{"error": {…}}`), Anthropic (`{"type": "error", "error": {…}}`), Google
 * (the same in a list, `status` as a word), FastAPI (`{"detail": …}`, in Mistral's answers below `message`), plain
 * text and HTML pages.
 */
export function complaintIn(body: MaybeJson): Complaint {
  const outer = Array.isArray(body) ? body[0] : body;
  const members = asObject(outer);
  const inner = asObject(members?.["error"]) ?? asObject(asArray(members?.["errors"])[0]) ?? members;
  const details = asArray(inner?.["details"]).map(asObject);
  const codes = [inner?.["code"], inner?.["status"], inner?.["type"], members?.["code"], members?.["type"]];
  const message = onOneLine(messageIn(outer, 5));
  return {
    message,
    body: message === "" ? onOneLine(typeof body === "string" ? body : bodyOf(members)) : "",
    code: codes
      .slice(0, 1)
      .map(asString)
      .find((code) => CODE.test(code)),
    words: [...codes, ...details.map((detail) => detail?.["reason"])]
      .map((code) => asString(code).toLowerCase())
      .filter((word) => word !== ""),
    status: codes.map(Number).find((code) => Number.isInteger(code) && code >= 400 && code < 600),
    param: asString(inner?.["param"]) || placeIn(detailIn(inner)) || undefined,
    retryAfterMs: details.map((detail) => durationOf(detail?.["retryDelay"])).find((ms) => ms !== undefined),
  };
}

/** Characters of each text that are looked at. */
const MAX_TEXT = 8_000;

/** A duration as protocol buffers write it in JSON: `34.074s`. */
function durationOf(value: MaybeJson): number | undefined {
  const text = asString(value);
  return /^\d{1,9}(\.\d{1,9})?s$/.test(text) ? Math.ceil(Number(text.slice(0, -1)) * 1000) : undefined;
}

/** Where the message stands, the most telling place first. */
const PLACES = ["error", "message", "detail", "error_description", "msg", "errors", "title"];

function messageIn(value: MaybeJson, depth: number): string {
  if (typeof value === "string") return isPage(value) ? "" : value.slice(0, MAX_TEXT);
  if (depth === 0) return "";
  if (Array.isArray(value))
    return value
      .slice(0, 5)
      .map((each: Json) => messageIn(each, depth - 1))
      .filter(Boolean)
      .join("; ");
  const members = asObject(value);
  if (!members) return "";
  for (const place of PLACES) {
    const message = messageIn(members[place], depth - 1);
    const at = placeIn(members);
    if (message !== "") return at === "" ? message : `${at}: ${message}`;
  }
  return "";
}

/** What a client may be given as `error.code`. */
const CODE = /^[a-z][\w.-]{0,63}$/i;

function bodyOf(members: JsonObject | undefined): string {
  return members && Object.keys(members).length > 0 ? JSON.stringify(members) : "";
}

/** Whether a text is a page, as proxies and firewalls answer with: it is made for browsers, and says much of its server. */
function isPage(text: string): boolean {
  return /^\s*<(!doctype|!--|html|head|body|\?xml|h1|p|center)\b/i.test(text);
}

/** The first of FastAPI's complaints. */
function detailIn(members: JsonObject | undefined): JsonObject | undefined {
  return asObject(asArray(members?.["detail"] ?? asObject(members?.["message"])?.["detail"])[0]);
}

/** FastAPI names the field at fault as `["body", "messages", 0, "content"]`. */
function placeIn(complaint: JsonObject | undefined): string {
  const place = asArray(complaint?.["loc"]).filter((part) => part !== "body");
  const name = place.map((part) => (typeof part === "number" ? `[${part}]` : `.${asString(part)}`)).join("");
  return name.replace(/^\./, "");
}
