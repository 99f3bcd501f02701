import { Value } from "@sinclair/typebox/value";
import type { ChatEvent, ChatRequest, ChatStream, Host, Upstream } from "modelyard/plugin";
import { toCheckable } from "../../config/schema/checkable.ts";
import { withDefaults } from "../../config/schema/coerce.ts";
import plugin from "../../plugins/openai/index.ts";
import type { Options } from "../../plugins/openai/options.ts";
import { outcomeOf } from "./pieces.ts";
import { testCall, testHost } from "./plugin-host.ts";
import type { TestHost } from "./plugin-host.ts";

const schema = toCheckable(plugin.options);

/** Options as they are after the gateway has filled in the defaults. */
export function filledOptions(given: object): Options {
  return withDefaults(schema, given) as Options;
}

/** Whether the gateway would take these options. */
export function areOptions(given: unknown): boolean {
  return Value.Check(schema, given);
}

/** The plugin's upstream, opened and started; closing it closes its host. */
export interface OpenedUpstream extends AsyncDisposable {
  readonly upstream: Required<Pick<Upstream, "complete" | "embed" | "status">> & Upstream;
  readonly host: TestHost;
}

/** Opens the plugin with these options. */
export async function openaiWith(given: object, changes: Partial<Host> = {}): Promise<OpenedUpstream> {
  const host = testHost(changes);
  const upstream = (await plugin.open(filledOptions(given), host.host)) as OpenedUpstream["upstream"];
  await upstream.start?.();
  return { upstream, host, [Symbol.asyncDispose]: () => host.close() };
}

/** A request with one user message. */
export function asking(more: Partial<ChatRequest> = {}): ChatRequest {
  return { model: "test-model", messages: [{ role: "user", content: "Hi" }], ...more };
}

/** Reads an answer to its end, whatever that is. */
export async function answerOf(
  answering: ChatStream | Promise<ChatStream>,
): Promise<{ items: readonly ChatEvent[]; error: unknown }> {
  try {
    return await outcomeOf(await answering);
  } catch (error) {
    return { items: [], error };
  }
}

/** Asks an upstream for a chat, and reads its answer to the end. */
export function answerTo(upstream: Upstream, more: Partial<ChatRequest> = {}): ReturnType<typeof answerOf> {
  const { call } = testCall();
  return answerOf((async () => upstream.chat(asking(more), call))());
}
