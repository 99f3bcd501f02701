import type { Json } from "../../src/contract/index.ts";
import type { Frame, Recording } from "./recording.ts";

const MASK = "[redacted]";
const SECRET_NAME = /token|secret|passw|email|phone|key|auth|cookie|credential|signature|session/i;
const PATTERNS = [
  // A JSON Web Token, whole or cut.
  /\beyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g,
  /\b(?:Bearer|Basic)\s+[\w.~+/=-]{6,}/gi,
  /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g,
];
// The numbers by which a Socket.IO frame begins, before its JSON.
const FRAMED_JSON = /^([\d-]*(?:\/[^,[{]*,)?\d*)([[{][^]*)$/;
// Words of a language are shorter, and such a word under a key `token` is no secret to be hunted elsewhere.
const LONG = /^\S{16,}$/;

/** Tells whether what goes by this name (a header, a parameter of a URL, a key in JSON) is to be kept secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** The long texts under secret names in what was recorded: they may turn up elsewhere too. */
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

/** The texts of an upstream's options that were sent as parameters of an address: nobody can tell which are secret. */
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

/** A recording in which no secret is left: types stay, texts under secret names and known secrets go. */
export function redactRecording(recording: Recording, redact: (text: string) => string): Recording {
  return {
    ...recording,
    prompt: redactText(recording.prompt, redact),
    frames: recording.frames.map((frame) => redactFrame(frame, redact)),
  };
}

/** A JSON value without secrets. `isSecret`: it stands under a secret name. Types and keys of objects stay. */
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

/** A text that holds JSON is redacted as JSON, and stays JSON. */
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
