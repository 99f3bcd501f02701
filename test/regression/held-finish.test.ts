import { expect, test } from "bun:test";
import type { Exchange } from "../support/fault-upstream.ts";
import { chunk, failureOf, openaiAt, startDoor } from "../support/openai-door.ts";
import type { Door } from "../support/openai-door.ts";

/**
 * How long a finish is held of an upstream that doesn't close.
 * @module
 */
const ROLE = { role: "assistant", content: "" };

function doorWith(timeouts: object): Promise<Door> {
  return startDoor((url) => ({ ...openaiAt(url), timeouts }), "cache: { mode: off }\n");
}

/** Says this, and then nothing more, and doesn't close. */
function saysAndWaits(...frames: string[]): (exchange: Exchange) => void {
  return (exchange) => {
    exchange.head(200, { "content-type": "text/event-stream" });
    exchange.chunk(frames.join(""));
  };
}

test("an upstream that has finished and doesn't close costs its finish no more than idle, or 5 s", async () => {
  await using door = await doorWith({ idle: "200ms", first_event: "10s", total: "20s" });
  door.upstream.respond = saysAndWaits(chunk({ content: "Hello" }), chunk({}, "stop"));
  const answer = await door.ask({ stream: true });
  expect(answer.choices).toMatchObject([{ message: { content: "Hello" }, finish_reason: "stop" }]);
  expect(answer.data.at(-1)).toBe("[DONE]");
  door.upstream.respond = saysAndWaits(chunk(ROLE), chunk({}, "content_filter"));
  const filtered = await door.ask({ stream: true });
  expect(filtered.choices).toMatchObject([{ finish_reason: "content_filter" }]);
});

test("a finish that was followed by more is no end: silence behind the next one is a time-out", async () => {
  await using door = await doorWith({ idle: "200ms", first_event: "10s", total: "20s" });
  door.upstream.respond = saysAndWaits(chunk({ content: "Hel" }, "stop"), chunk({ content: "lo" }, "stop"));
  const answer = await door.ask({ stream: true });
  expect(answer.choices[0]?.message.content).toBe("Hello");
  expect(failureOf(answer).code).toBe("upstream_timeout");
});

test("a stop before the first word begins no answer: first_event counts, and a later word is heard", async () => {
  await using door = await doorWith({ idle: "100ms", first_event: "400ms", total: "20s" });
  door.upstream.respond = saysAndWaits(chunk(ROLE, "stop"));
  const silent = await door.ask({ stream: true });
  expect([silent.status, silent.error?.code]).toEqual([504, "upstream_timeout"]);
});
