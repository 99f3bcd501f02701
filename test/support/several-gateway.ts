import type { Capabilities } from "modelyard/plugin";
import type { GatewayOptions, RunningGateway } from "./gateway.ts";
import { startGateway } from "./gateway.ts";
import type { Answers } from "./scripted-gateway.ts";
import { SCRIPTED_PLUGIN } from "./scripted-gateway.ts";
import type { ScriptedStatus } from "./scripted-plugin.ts";
import { until } from "./until.ts";

/** One scripted upstream of several. */
export interface Several {
  readonly answers: Answers;
  /** What it says that its models can do. */
  readonly capabilities?: Readonly<Record<string, Capabilities>>;
  readonly enabled?: boolean;
  readonly models?: readonly string[];
  readonly timeouts?: object;
  readonly limits?: object;
}

/** A gateway in front of several scripted upstreams. */
export interface SeveralGateway extends RunningGateway {
  status(upstream: string): ScriptedStatus;
  /** How often each upstream was called so far. */
  calls(): Readonly<Record<string, number>>;
  /** Resolves when nothing is left of any request. */
  quiet(): Promise<void>;
}

/** The `upstreams` section for these, with the plugin's text beside it as `scripted.ts`. */
export function severalUpstreams(upstreams: Readonly<Record<string, Several>>): string {
  const entries = Object.entries(upstreams).map(([id, { answers, capabilities = {}, ...settings }]) => {
    const upstream = { plugin: "./scripted.ts", options: { answers, capabilities }, ...settings };
    return `  ${id}: ${JSON.stringify(upstream)}\n`;
  });
  return `upstreams:\n${entries.join("")}`;
}

/** Starts a gateway with these upstreams in this order; `yaml` has more upstreams, routes and so on. */
export async function startSeveral(
  upstreams: Readonly<Record<string, Several>>,
  yaml = "",
  options: GatewayOptions = {},
): Promise<SeveralGateway> {
  const files = { ...options.files, "scripted.ts": SCRIPTED_PLUGIN };
  const running = await startGateway(`${severalUpstreams(upstreams)}${yaml}`, { ...options, files });
  const { gateway } = running;
  const status = (id: string) => gateway.upstreams.get(id)?.upstream.status?.() as unknown as ScriptedStatus;
  const ids = [...gateway.upstreams.keys()].filter((id) => id in upstreams);
  return {
    ...running,
    status,
    calls: () => Object.fromEntries(ids.map((id) => [id, status(id).begun])),
    quiet: () =>
      until(
        () => gateway.inFlight.running === 0 && ids.every((id) => status(id).running === 0),
        "the end of all calls and of all upstreams' work",
      ),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
