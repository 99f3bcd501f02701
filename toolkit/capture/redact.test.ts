import { describe, expect, test } from "bun:test";
import type { Frame, Recording } from "./recording.ts";
import { redactJson, redactRecording, secretsOf } from "./redact.ts";

const JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N";
const asItIs = (text: string) => text;

function recordingOf(...frames: Frame[]): Recording {
  const about = {
    upstream: "one",
    plugin: "mine",
    model: "m",
    prompt: "p",
    recorded: "2026-01-01T00:00:00Z",
  };
  return { version: 1, ...about, answer: [], frames };
}

describe("redactJson", () => {
  test("takes texts under secret names away, however deep, and leaves their types", () => {
    const value = { access_token: "a", user: { Email: "b", keys: ["c", { d: "e" }] }, prompt_tokens: 3 };
    expect(redactJson(value, asItIs)).toEqual({
      access_token: "[redacted]",
      user: { Email: "[redacted]", keys: ["[redacted]", { d: "[redacted]" }] },
      prompt_tokens: 3,
    });
  });

  test("keeps numbers, booleans and null as they are under any name", () => {
    const value = { token: null, password: 7, secret: true };
    expect(redactJson(value, asItIs)).toEqual(value);
  });

  test.each([
    ["a JSON Web Token", `see ${JWT}!`, "see [redacted]!"],
    ["a cut JSON Web Token", JWT.slice(0, 30), "[redacted]"],
    ["a bearer's token", "Bearer abcdef123", "[redacted]"],
    ["an address", "write to jane.doe+x@mail.example.org now", "write to [redacted] now"],
  ])("knows %s by its form", (_, text, clean) => {
    expect(redactJson({ said: text }, asItIs)).toEqual({ said: clean });
  });

  test("looks into JSON that stands in a text", () => {
    const text = JSON.stringify({ password: "a", ok: 1 });
    expect(redactJson({ text }, asItIs)).toEqual({ text: '{"password":"[redacted]","ok":1}' });
  });

  test("takes known secrets out of keys as well", () => {
    const redact = (text: string) => text.replaceAll("known", "[redacted]");
    expect(redactJson({ "x-known": "a known one" }, redact)).toEqual({ "x-[redacted]": "a [redacted] one" });
  });
});

describe("redactRecording", () => {
  test("cleans addresses of names, passwords, secret parameters and fragments, and keeps the others", () => {
    const url = `https://jane:pass@example.org/v1/${JWT}?key=abc&grant_type=refresh&apiToken=d#frag`;
    const opened = { kind: "socket-opened", at: 0, socket: 1, url } as const;
    const [frame] = redactRecording(recordingOf(opened), asItIs).frames;
    expect(frame).toEqual({
      ...opened,
      url: "https://example.org/v1/[redacted]?key=redacted&grant_type=refresh&apiToken=redacted",
    });
  });

  test("cleans the frames of Socket.IO and leaves them frames of Socket.IO", () => {
    const text = '42/room,7["hello",{"token":"a","delta":"b"}]';
    const frame = { kind: "socket-received", at: 0, socket: 1, text } as const;
    expect(redactRecording(recordingOf(frame), asItIs).frames).toEqual([
      { ...frame, text: '42/room,7["hello",{"token":"[redacted]","delta":"b"}]' },
    ]);
  });
});

test("a long text under a secret name is a secret wherever it stands, a word is not", () => {
  const long = "0123456789abcdef-long";
  const body = { session: { id: long }, logprobs: [{ token: "Hello" }], note: "nothing-secret-in-here" };
  const response = {
    kind: "response",
    at: 0,
    exchange: 1,
    status: 200,
    contentType: "application/json",
    headers: [],
    pieces: [],
    body,
  } as const;
  expect(secretsOf(recordingOf({ ...response, headers: [], pieces: [] }))).toEqual([long]);
});
