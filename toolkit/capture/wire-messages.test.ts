import { describe, expect, test } from "bun:test";
import type { Json } from "../../src/contract/index.ts";
import { pathTemplate, wireMessagesOf } from "./wire-messages.ts";
import type { Frame } from "./recording.ts";
import type { WireMessage } from "./wire-messages.ts";

function kindsOf(...frames: Frame[]): string[] {
  return wireMessagesOf({ frames, answer: [] }).map(({ kind }) => kind);
}

function received(text: string, url = "ws://127.0.0.1/socket.io/?EIO=4"): WireMessage[] {
  const frames: Frame[] = [
    { kind: "socket-opened", at: 0, socket: 1, url },
    { kind: "socket-received", at: 1, socket: 1, text },
  ];
  return wireMessagesOf({ frames, answer: [] });
}

function answered(status: number, events?: { at: number; event: string; data: Json }[]): Frame[] {
  const response = {
    kind: "response",
    at: 1,
    exchange: 7,
    status,
    contentType: "x/y",
    headers: [],
    pieces: [],
  };
  return [
    { kind: "request", at: 0, exchange: 7, method: "GET", url: "http://h:1/v1/run/42?a=b", headers: [] },
    { ...response, ...(events && { events }) } as Frame,
  ];
}

test.each([
  ["http://h/v1/chat/completions?x=1", "/v1/chat/completions"],
  ["http://h/threads/6456df9f-f4fd-42b3-97ff-df29af7188b7/runs/12", "/threads/:id/runs/:id"],
  ["http://h/m/gemini-2.5-flash:streamGenerateContent", "/m/gemini-2.5-flash:streamGenerateContent"],
  ["http://h/run/run_aB3dE6gH9kLmNoPq", "/run/:id"],
  ["http://h/o/5f2b8c0d9e1a", "/o/:id"],
])("ids in %s have no name of their own", (url, template) => {
  expect(pathTemplate(url)).toBe(template);
});

describe("what is said over HTTP", () => {
  test("is known by method, path without ids, and status", () => {
    expect(kindsOf(...answered(200))).toEqual(["GET /v1/run/:id 200"]);
    const [refusal] = wireMessagesOf({ frames: answered(429), answer: [] });
    expect(refusal?.isRefusal).toBe(true);
  });

  test("as events is known by the event's name and the word by which the data says what it is", () => {
    const events = [
      { at: 1, event: "message", data: { type: "delta", object: "no" } },
      { at: 2, event: "message", data: "[DONE]" },
      { at: 3, event: "end", data: "a text of any length" },
      { at: 4, event: "ping", data: {} },
    ];
    expect(kindsOf(...answered(200, events)).slice(1)).toEqual([
      'GET /v1/run/:id event "message" delta',
      'GET /v1/run/:id event "message" [DONE]',
      'GET /v1/run/:id event "end"',
    ]);
  });
});

describe("what is said over a socket", () => {
  test.each([
    ['0{"sid":"x"}', ["socket open"]],
    ['40{"sid":"x"}', ["socket message 0"]],
    ['42["progress",{"a":1}]', ['socket message 2 "progress"']],
    ['42/room,13["progress",{"a":1}]', ['socket message 2 "progress"']],
    ['44{"message":"no"}', ["socket message 4"]],
    ["41", ["socket message 1"]],
    ["2", []],
    ["3", []],
  ])("is known by its packet: %s", (text, kinds) => {
    expect(received(text).map(({ kind }) => kind)).toEqual(kinds);
  });

  test("has its places in an event's values, those behind the first by their number", () => {
    const [event] = received('42["a",{"b":1},"c"]');
    expect(event?.places).toEqual([
      ["", "object"],
      [".b", "number"],
      ["argument 2 ", "string"],
    ]);
  });

  test("that isn't Socket.IO's is taken as JSON", () => {
    expect(received('{"type":"delta","text":"x"}', "ws://h/line").map(({ kind }) => kind)).toEqual([
      "socket text delta",
    ]);
    expect(received("4 words of text", "ws://h/line").map(({ kind }) => kind)).toEqual(["socket text"]);
  });
});

test("what the plugin made of it counts as well", () => {
  expect(wireMessagesOf({ frames: [], answer: ["text", "finish"] }).map(({ kind }) => kind)).toEqual([
    "answer text",
    "answer finish",
  ]);
});
