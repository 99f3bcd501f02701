import type { ChatEvent } from "modelyard/plugin";
import type { GatewayOptions, RunningGateway } from "./gateway.ts";
import { startGateway } from "./gateway.ts";
import type { ScriptedStatus, Step } from "./scripted-plugin.ts";
import { until } from "./until.ts";

export type { Step } from "./scripted-plugin.ts";

/** The plugin's text, to be put into a folder of its own as a stranger's would be. */
export const SCRIPTED_PLUGIN = await Bun.file(new URL("./scripted-plugin.ts", import.meta.url)).text();

/** Answers by model. */
export type Answers = Readonly<Record<string, readonly Step[]>>;

export interface ScriptedGateway extends RunningGateway {
  /** What the upstream is doing. */
  status(): ScriptedStatus;
  /** Resolves when nothing is left of any request: no call, no body, no work upstream. */
  quiet(): Promise<void>;
}

/** The `upstreams` section, to which more can be added; `settings` stand beside `plugin` and `options`. */
export function scriptedUpstream(answers: Answers, settings: object = {}): string {
  const upstream = { plugin: "./scripted.ts", options: { answers }, ...settings };
  return `upstreams:\n  scripted: ${JSON.stringify(upstream)}\n`;
}

export interface ScriptedOptions extends GatewayOptions {
  /** More upstreams, indented by two spaces, and further sections after them. */
  readonly yaml?: string;
  /** The scripted upstream's `timeouts` and other settings. */
  readonly upstream?: object;
}

/** Failures are scripted: nothing is tried again, and nobody is rested for them. */
const AS_SCRIPTED = "retry: { attempts: 1 }\nhealth: { failures: 1000000 }\n";

/** Starts a gateway with the upstream `scripted`, which answers as told. */
export async function startScripted(
  answers: Answers,
  { yaml = "", upstream = {}, ...options }: ScriptedOptions = {},
): Promise<ScriptedGateway> {
  const files = { ...options.files, "scripted.ts": SCRIPTED_PLUGIN };
  const running = await startGateway(scriptedUpstream(answers, upstream) + yaml + AS_SCRIPTED, {
    ...options,
    files,
  });
  const { inFlight, bodies, upstreams } = running.gateway;
  const status = () => upstreams.get("scripted")?.upstream.status?.() as unknown as ScriptedStatus;
  const quiet = () =>
    until(
      () => inFlight.running === 0 && bodies.used === 0 && status().running === 0,
      "the end of all calls, bodies and upstream work",
    );
  return { ...running, status, quiet, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

export const say = (text: string, choice?: number): ChatEvent => ({
  type: "text",
  text,
  ...(choice !== undefined && { choice }),
});

export const stop = (choice?: number): ChatEvent => ({
  type: "finish",
  reason: "stop",
  ...(choice !== undefined && { choice }),
});

export const spent = (input: number, output: number): ChatEvent => ({
  type: "usage",
  usage: { input, output },
});

/** An answer in two pieces, finished, with its usage. */
export const HELLO: readonly Step[] = [say("Hello, "), say("world"), stop(), spent(7, 3)];
