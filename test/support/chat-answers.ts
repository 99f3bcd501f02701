import type { ChatEvent, ChatRequest, Json, Upstream } from "modelyard/plugin";
import { outcomeOf } from "./pieces.ts";
import { testCall } from "./plugin-host.ts";
import type { TestCall } from "./plugin-host.ts";

/** A request with one user message. */
export function asking(
  content: ChatRequest["messages"][number]["content"],
  fields: Record<string, Json> = {},
): ChatRequest {
  return { model: "echo", messages: [{ role: "user", content: content ?? null }], ...fields };
}

/** What an answer is, choice by choice. */
export interface Answer {
  readonly texts: readonly string[];
  readonly pieces: readonly string[];
  readonly events: readonly ChatEvent[];
  readonly finishes: readonly ChatEvent[];
  readonly usage: unknown;
  readonly error: unknown;
}

/** Asks an upstream, and reads its answer to the end. */
export async function answerOf(
  upstream: Upstream,
  request: ChatRequest,
  call: TestCall = testCall(),
): Promise<Answer> {
  const { items: events, error } = await outcomeOf(await upstream.chat(request, call.call));
  const said = events.filter((event) => event.type === "text");
  const choices = [...new Set(said.map((event) => event.choice ?? 0))];
  return {
    events,
    error,
    pieces: said.map((event) => event.text),
    texts: choices.map((choice) =>
      said
        .filter((event) => (event.choice ?? 0) === choice)
        .map((event) => event.text)
        .join(""),
    ),
    finishes: events.filter((event) => event.type === "finish"),
    usage: events.findLast((event) => event.type === "usage")?.usage,
  };
}
