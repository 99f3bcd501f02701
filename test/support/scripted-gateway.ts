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

/** The `upstreams` section of a gateway whose only upstream, `scripted`, answers as told. */
export function scriptedUpstream(answers: Answers): string {
  const options = JSON.stringify({ answers });
  return `upstreams:\n  scripted: { plugin: ./scripted.ts, options: ${options} }\n`;
}

/** Starts a gateway whose only upstream, `scripted`, answers as told; `yaml` has further sections. */
export async function startScripted(
  answers: Answers,
  { yaml = "", ...options }: GatewayOptions & { readonly yaml?: string } = {},
): Promise<ScriptedGateway> {
  const files = { ...options.files, "scripted.ts": SCRIPTED_PLUGIN };
  const running = await startGateway(scriptedUpstream(answers) + yaml, { ...options, files });
  const { calls, bodies, upstreams } = running.gateway;
  const status = () => upstreams.get("scripted")?.upstream.status?.() as unknown as ScriptedStatus;
  const quiet = () =>
    until(
      () => calls.running === 0 && bodies.used === 0 && status().running === 0,
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
