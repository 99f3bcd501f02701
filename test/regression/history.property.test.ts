import { expect, test } from "bun:test";
import { ToolNames } from "modelyard/kit";
import type { ChatRequest, JsonObject, Message } from "modelyard/plugin";
import { UpstreamError } from "modelyard/plugin";
import { parseModelName } from "../../plugins/gemini/models.ts";
import { generateRequest } from "../../plugins/gemini/request/request.ts";
import { TOOL_NAMES } from "../../plugins/gemini/request/tools.ts";
import { mapped } from "../support/anthropic-upstream.ts";
import { testCall } from "../support/plugin-host.ts";
import { Random } from "../support/random.ts";
import type { Sent } from "../support/translation.ts";

/**
 * Thousands of histories made of odd pieces: what comes of each is a request that the vendors' documents allow, or a
 * refusal with its place.
 * @module
 */
const SEEDS = 4000;

const TEXTS = ["a", "", " ", "\n", "cut \ud83d", "text"];
const IDS = ["c1", "c1", "c2", "a.1", "a_1", "", "x\ud83d", "toolu_1"];
const NAMES = ["get", "put", "fs.read", "fs_read", "read file", "x".repeat(130), "9"];
const ARGUMENTS = ["{}", "", "null", "[]", "{", '{"a":1}', '"{}"', "[1]", undefined];
const PICTURES = ["data:image/png;base64,iVBORw0KGgo=", "data:;base64,/9j/4A", "https://example.com/a.png"];

function pick<T>(from: Random, list: readonly T[]): T {
  return from.pick(list) as T;
}

function contentOf(from: Random): NonNullable<Message["content"]> | null {
  const kind = from.next();
  if (kind < 0.5) return pick(from, TEXTS);
  if (kind < 0.6) return null;
  const length = Math.floor(from.next() * 3);
  return Array.from({ length }, () =>
    from.next() < 0.7
      ? {
          type: "text",
          text: pick(from, TEXTS),
          ...(from.next() < 0.3 && { cache_control: { type: "ephemeral" } }),
        }
      : { type: "image_url", image_url: { url: pick(from, PICTURES) } },
  );
}

function messageOf(from: Random, open: string[]): Message {
  const kind = from.next();
  if (kind < 0.1) return { role: pick(from, ["system", "developer"]), content: pick(from, TEXTS) };
  if (kind < 0.4) return { role: "user", content: contentOf(from) };
  if (kind < 0.5) return { role: "assistant", content: pick(from, TEXTS) };
  if (kind < 0.7 || (open.length === 0 && from.next() < 0.95)) {
    const calls = Array.from({ length: 1 + Math.floor(from.next() * 3) }, (): JsonObject => {
      const id = pick(from, IDS);
      open.push(id);
      return {
        id,
        type: "function",
        function: { name: pick(from, NAMES), arguments: pick(from, ARGUMENTS) },
      };
    });
    return { role: "assistant", content: pick(from, [null, ...TEXTS]), tool_calls: calls };
  }
  const [id = "gone"] = open.splice(Math.floor(from.next() * open.length), 1);
  return {
    role: "tool",
    tool_call_id: id,
    content: contentOf(from),
    ...(from.next() < 0.2 && { is_error: true }),
  };
}

function historyOf(from: Random): readonly Message[] {
  const open: string[] = [];
  return Array.from({ length: 1 + Math.floor(from.next() * 9) }, () => messageOf(from, open));
}

/** What is sent, or undefined where the request is refused with a place among the messages. */
function sentOr(map: () => unknown): Sent | undefined {
  try {
    return map() as Sent;
  } catch (error) {
    if (!UpstreamError.is(error)) throw error;
    expect(error.code).toBe("unsupported");
    expect(error.param).toMatch(/^messages\[\d+\]/);
    return undefined;
  }
}

/** Each result stands in the turn after its call's, and each call has at most one. */
function expectMatched(turns: readonly { readonly calls: string[]; readonly results: string[] }[]): void {
  const calls = turns.flatMap((turn) => turn.calls);
  const results = turns.flatMap((turn) => turn.results);
  expect(new Set(calls).size).toBe(calls.length);
  expect(new Set(results).size).toBe(results.length);
  const seen = new Set<string>();
  for (const turn of turns) {
    for (const id of turn.results) expect(seen.has(id)).toBe(true);
    for (const id of turn.calls) seen.add(id);
  }
}

test("what Anthropic is sent is a conversation by its documents", () => {
  let taken = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const messages = historyOf(new Random(seed));
    const sent = sentOr(() => mapped({ messages: messages as unknown as JsonObject[] }).body);
    if (!sent) continue;
    taken++;
    const roles = sent.messages.map(({ role }) => role);
    roles.slice(1).forEach((role, index) => expect(role).not.toBe(roles[index] as string));
    const turns = sent.messages.map(({ content }) => {
      expect(content.length).toBeGreaterThan(0);
      const kinds = content.map(({ type }) => type);
      const results = kinds.filter((type) => type === "tool_result").length;
      expect(kinds.slice(0, results).every((type) => type === "tool_result")).toBe(true);
      for (const block of [...content, ...(sent.system ?? [])])
        if (block.type === "text") expect(block.text?.trim()).not.toBe("");
      for (const { is_error: isError, content: inner } of content) {
        if (isError) expect(inner?.length ?? 0).toBeGreaterThan(0);
      }
      for (const { name } of content) expect(name ?? "ok").toMatch(/^[a-zA-Z0-9_-]{1,128}$/);
      return {
        calls: content.flatMap(({ type, id }) => (type === "tool_use" ? [id ?? ""] : [])),
        results: content.flatMap(({ tool_use_id: id }) => id ?? []),
      };
    });
    expectMatched(turns);
    for (const id of turns.flatMap(({ calls }) => calls)) expect(id).toMatch(/^[a-zA-Z0-9_-]+$/);
  }
  expect(taken).toBeGreaterThan(SEEDS / 4);
});

test("what Gemini is sent is a conversation by its documents", () => {
  let taken = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const messages = historyOf(new Random(seed));
    const { call } = testCall();
    const request: ChatRequest = { model: "gemini-3-flash", messages };
    const around = { model: parseModelName(request.model), options: { thoughts: false, safety: {} }, call };
    const names = new ToolNames(request, TOOL_NAMES);
    const sent = sentOr(() => generateRequest(request, { ...around, names }));
    if (!sent) continue;
    taken++;
    const turns = sent.contents.map(({ parts }) => {
      expect(parts.length).toBeGreaterThan(0);
      for (const { text } of parts) expect(text).not.toBe("");
      const responses = parts.flatMap(({ functionResponse }) => functionResponse ?? []);
      for (const { name } of responses) expect(name).toMatch(TOOL_NAMES.pattern);
      return {
        calls: parts.flatMap(({ functionCall }) => functionCall?.id ?? []),
        results: responses.map(({ id }) => id),
      };
    });
    expectMatched(turns);
  }
  expect(taken).toBeGreaterThan(SEEDS / 4);
});
