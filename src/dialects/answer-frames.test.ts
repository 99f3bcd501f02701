import { expect, test } from "bun:test";
import type { NativeEvent } from "../contract/index.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import { AnswerFrames } from "./answer-frames.ts";
import type { FrameWriter } from "./dialect.ts";

const writer: FrameWriter = {
  write: (event) => `[${event.type}]`,
  end: () => "[end]",
  failed: ({ code }) => `[${code}]`,
};
const failure = new GatewayError("upstream_truncated", "cut");

const word: NativeEvent = { type: "native", name: "word", data: "{}", events: [{ type: "text", text: "a" }] };
const end: NativeEvent = { ...word, name: "end", events: [{ type: "finish", reason: "stop" }] };

test("an upstream's frames go out as they came, the last with the end", () => {
  const frames = new AnswerFrames(writer);
  expect(frames.write([word, end])).toBe("event: word\ndata: {}\n\n");
  expect(frames.write([{ type: "usage", usage: {}, source: "estimated" }])).toBe("");
  expect(frames.end()).toBe("event: end\ndata: {}\n\n");
});

test("a failure is told by the dialect, and no frame of a finish before it", () => {
  const frames = new AnswerFrames(writer);
  frames.write([word, end]);
  expect(frames.failed(failure)).toBe("[upstream_truncated]");
});

test("data of several lines, and a frame without a name, are written as the standard has them", () => {
  const odd = { ...word, name: "", data: "a\nb\r\nc\rd" };
  expect(new AnswerFrames(writer).write([odd])).toBe("data: a\ndata: b\ndata: c\ndata: d\n\n");
});

test("an answer that begins without a frame is written by the dialect to its end", () => {
  const frames = new AnswerFrames(writer);
  const usage = { type: "usage", usage: {} } as const;
  const late: NativeEvent = { ...word, events: [...word.events, usage] };
  expect(frames.write([{ type: "text", text: "a" }, late])).toBe("[text][text]");
  expect(frames.end()).toBe("[end]");
});
