import { Value } from "@sinclair/typebox/value";
import type { Call, ChatEvent, ChatRequest, Host } from "modelyard/plugin";
import { toCheckable } from "../../config/schema/checkable.ts";
import { withDefaults } from "../../config/schema/coerce.ts";
import { Langfast } from "../../plugins/langfast/langfast.ts";
import type { Timing } from "../../plugins/langfast/langfast.ts";
import { options as schema } from "../../plugins/langfast/options.ts";
import type { Options } from "../../plugins/langfast/options.ts";
import { startEmulator } from "./langfast-emulator/index.ts";
import type { Emulator, EmulatorOptions } from "./langfast-emulator/index.ts";
import { testCall, testHost } from "./plugin-host.ts";
import type { TestHost } from "./plugin-host.ts";

/** How an upstream is opened for a test. */
export interface LangfastSetup {
  readonly emulator?: EmulatorOptions;
  readonly options?: Partial<Options>;
  readonly host?: Partial<Host>;
  readonly timing?: Partial<Timing>;
}

/** An emulator and an upstream that speaks to it; `await using` closes both. */
export interface LangfastUnderTest extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly upstream: Langfast;
  readonly host: TestHost;
}

/** What an answer came to. */
export interface Answer {
  readonly events: readonly ChatEvent[];
  readonly text: string;
  readonly finish: Extract<ChatEvent, { type: "finish" }> | undefined;
  readonly usage: Extract<ChatEvent, { type: "usage" }> | undefined;
  /** What it failed with, after the events. */
  readonly error: unknown;
}

/** Starts an emulator and an upstream, with one credential at most unless told otherwise. */
export async function openLangfast(setup: LangfastSetup = {}): Promise<LangfastUnderTest> {
  const emulator = await startEmulator(setup.emulator);
  const { upstream, host } = connectLangfast(emulator, setup);
  upstream.start();
  return {
    emulator,
    upstream,
    host,
    async [Symbol.asyncDispose]() {
      await host.close();
      await emulator[Symbol.asyncDispose]();
    },
  };
}

/** An upstream for an emulator that runs already, not started. */
export function connectLangfast(
  emulator: Emulator,
  setup: LangfastSetup = {},
): { upstream: Langfast; host: TestHost } {
  const host = testHost(setup.host);
  const upstream = new Langfast(langfastOptions(emulator, setup.options), host.host, setup.timing);
  return { upstream, host };
}

/** The options for an emulator, filled with defaults as the gateway does. */
export function langfastOptions(emulator: Emulator, overrides: Partial<Options> = {}): Options {
  const given = {
    anon_key: emulator.anonKey,
    supabase_url: emulator.supabaseUrl,
    socket_url: emulator.socketUrl,
    credentials: { min: 0, max: 1 },
    ...overrides,
  };
  return filledOptions(given);
}

/** Options as they are after the gateway has filled in the defaults. */
export function filledOptions(given: object): Options {
  return withDefaults(schema, given) as Options;
}

/** Whether the gateway would take these options. */
export function areOptions(given: unknown): boolean {
  return Value.Check(toCheckable(schema), given);
}

/** A streamed request for one user message. */
export function asking(content: string, more: Partial<ChatRequest> = {}): ChatRequest {
  return { model: "gpt-4o-mini", messages: [{ role: "user", content }], stream: true, ...more };
}

/** Reads an answer to its end, whatever that is. */
export async function answerTo(
  upstream: Langfast,
  request: ChatRequest,
  call: Call = testCall().call,
): Promise<Answer> {
  const events: ChatEvent[] = [];
  let error: unknown;
  try {
    for await (const event of upstream.chat(request, call)) events.push(event);
  } catch (thrown) {
    error = thrown;
  }
  return {
    events,
    text: events.map((event) => (event.type === "text" ? event.text : "")).join(""),
    finish: events.find((event) => event.type === "finish"),
    usage: events.find((event) => event.type === "usage"),
    error,
  };
}
