import type { Json } from "../../src/contract/index.ts";
import type { Frame, Recording } from "./recording.ts";

const MASK = "[redacted]";
const SECRET_NAME = /token|secret|passw|email|phone|key|auth|cookie|credential|signature|session/i;
const PATTERNS = [
  // A JSON Web Token, complete or cut.
  /\beyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g,
  /\b(?:Bearer|Basic)\s+[\w.~+/=-]{6,}/gi,
  /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g,
];
// The numbers at the start of a Socket.IO frame, before its JSON.
const FRAMED_JSON = /^([\d-]*(?:\/[^,[{]*,)?\d*)([[{][^]*)$/;
// Shorter texts under a secret name may be common words, which must not be redacted everywhere.
const LONG = /^\S{16,}$/;

/** Returns whether a name (of a header, a URL parameter, a JSON key) is that of a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** Returns the long texts under secret names, which may occur elsewhere in the recording, too. */
export function secretsOf({ frames }: Recording): string[] {
  return frames.flatMap((frame) => {
    switch (frame.kind) {
      case "request":
        return secretsIn(frame.body ?? null);
      case "response":
        return [frame.body ?? null, ...(frame.events ?? []).map(({ data }) => data)].flatMap((said) =>
          secretsIn(said),
        );
      case "socket-sent":
      case "socket-received":
        return secretsIn(frame.text ?? null);
      case "socket-opened":
      case "socket-closed":
        return [];
    }
  });
}

/** Returns the texts of an upstream's options that were sent as URL parameters, any of which may be a secret. */
export function optionsInAddresses({ frames }: Recording, options: Json): string[] {
  const given = new Set(textsIn(options));
  const urls = frames.flatMap((frame) => ("url" in frame ? [new URL(frame.url)] : []));
  return urls.flatMap((url) => [...url.searchParams.values()]).filter((value) => given.has(value));
}

function textsIn(value: Json): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap((member) => textsIn(member ?? null));
}

function secretsIn(value: Json, isSecret = false): string[] {
  if (typeof value === "string") {
    const inner = jsonWithin(value);
    if (inner) return secretsIn(inner.value, isSecret);
    return isSecret && LONG.test(value) ? [value] : [];
  }
  if (Array.isArray(value)) return value.flatMap((item: Json) => secretsIn(item, isSecret));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    member === undefined ? [] : secretsIn(member, isSecret || isSecretName(key)),
  );
}

/** Removes known secrets and texts under secret names from a recording, and keeps JSON types. */
export function redactRecording(recording: Recording, redact: (text: string) => string): Recording {
  return {
    ...recording,
    prompt: redactText(recording.prompt, redact),
    frames: recording.frames.map((frame) => redactFrame(frame, redact)),
  };
}

/** Redacts a JSON value and keeps its types and keys. `isSecret`: the value is under a secret name. */
export function redactJson(value: Json, redact: (text: string) => string, isSecret = false): Json {
  if (typeof value === "string") return isSecret ? MASK : redactText(value, redact);
  if (Array.isArray(value)) return value.map((item: Json) => redactJson(item, redact, isSecret));
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [
    redactText(key, redact),
    member === undefined ? undefined : redactJson(member, redact, isSecret || isSecretName(key)),
  ]);
  return Object.fromEntries(members) as Json;
}

function redactFrame(frame: Frame, redact: (text: string) => string): Frame {
  switch (frame.kind) {
    case "request":
      return { ...frame, url: redactUrl(frame.url, redact), ...bodyOf(frame, redact) };
    case "response": {
      const events = frame.events?.map((event) => ({ ...event, data: redactJson(event.data, redact) }));
      return { ...frame, ...bodyOf(frame, redact), ...(events && { events }) };
    }
    case "socket-opened":
      return { ...frame, url: redactUrl(frame.url, redact) };
    case "socket-sent":
    case "socket-received":
      return frame.text === undefined ? frame : { ...frame, text: redactText(frame.text, redact) };
    case "socket-closed":
      return frame;
  }
}

function bodyOf({ body }: { readonly body?: Json }, redact: (text: string) => string): { body?: Json } {
  return body === undefined ? {} : { body: redactJson(body, redact) };
}

function redactUrl(text: string, redact: (text: string) => string): string {
  const url = new URL(text);
  url.username = "";
  url.password = "";
  url.hash = "";
  for (const name of new Set(url.searchParams.keys())) {
    if (isSecretName(name)) url.searchParams.set(name, "redacted");
  }
  return withoutPatterns(redact(url.href));
}

/** Redacts a text. One that contains JSON is redacted as JSON, and stays JSON. */
function redactText(text: string, redact: (text: string) => string): string {
  const inner = jsonWithin(text);
  if (inner) return inner.head + JSON.stringify(redactJson(inner.value, redact));
  return withoutPatterns(redact(text));
}

function withoutPatterns(text: string): string {
  return PATTERNS.reduce((clean, pattern) => clean.replace(pattern, MASK), text);
}

function jsonWithin(text: string): { readonly head: string; readonly value: Json } | undefined {
  const [, head = "", json] = FRAMED_JSON.exec(text) ?? [];
  if (json === undefined) return undefined;
  try {
    return { head, value: JSON.parse(json) as Json };
  } catch {
    return undefined;
  }
}
