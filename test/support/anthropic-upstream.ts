import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ChatEvent, ChatRequest, JsonObject } from "modelyard/plugin";
import type { Options } from "../../plugins/anthropic/options.ts";
import { traitsOf } from "../../plugins/anthropic/traits.ts";
import { ToolNames } from "modelyard/kit";
import { TOOL_NAMES } from "../../plugins/anthropic/request/tools.ts";
import { mapRequest } from "../../plugins/anthropic/request/request.ts";
import { Anthropic } from "../../plugins/anthropic/anthropic.ts";
import { outcomeOf } from "./pieces.ts";
import { testCall, testHost } from "./plugin-host.ts";
import type { TestCall } from "./plugin-host.ts";

const FIXTURES = join(import.meta.dir, "../../plugins/anthropic/fixtures");

/** The bytes of a recorded answer. */
export function recorded(name: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(readFileSync(join(FIXTURES, name)));
}

/** An HTTP answer with these bytes, as an event stream unless told otherwise. */
export function answering(body: BodyInit, type = "text/event-stream; charset=utf-8"): Response {
  return new Response(body, { headers: { "content-type": type } });
}

/** What a request becomes for a model, and which parameters were named as not honoured. */
export function mapped(fields: JsonObject, model = "claude-sonnet-4-5"): Mapped {
  const { call, ignored } = testCall();
  const request = { messages: [{ role: "user", content: "Hi" }], ...fields, model } as ChatRequest;
  const names = new ToolNames(request, TOOL_NAMES);
  const setting = { traits: traitsOf(model, undefined), maxTokens: undefined, names, call };
  return { ...mapRequest(request, setting), ignored: [...ignored.keys()] };
}

export interface Mapped {
  readonly body: JsonObject;
  readonly betas: readonly string[];
  readonly ignored: readonly string[];
}

/** The plugin's upstream for a server at `url`. */
export function anthropicAt(url: string, changes: Partial<Options> = {}): Anthropic {
  const { host } = testHost();
  const defaults = { api_keys: [], version: "2023-06-01", beta: [], headers: {} };
  return new Anthropic({ api_key: "sk-ant-test", base_url: url, ...defaults, ...changes }, host);
}

/** Asks an upstream, and reads its answer to the end. */
export async function ask(
  upstream: Anthropic,
  fields: Partial<ChatRequest> = {},
  { call }: TestCall = testCall(),
): Promise<{ items: readonly ChatEvent[]; error: unknown }> {
  const request = { model: "claude-sonnet-4-5", messages: [{ role: "user", content: "Hi" }], ...fields };
  try {
    return await outcomeOf(await upstream.chat(request, call));
  } catch (error) {
    return { items: [], error };
  }
}
