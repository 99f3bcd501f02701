import type { Fixtures, Scenario, ScenarioName, TestUpstream } from "modelyard/conformance";
import { startEmulator } from "./langfast-emulator/index.ts";
import type { CallFault, Emulator, EmulatorScript } from "./langfast-emulator/index.ts";

const NO_FRAMING = "Socket.IO frames what it sends; half a message never arrives";
const HALF = 4;

/** The langfa.st service, as the conformance kit plays it with the emulator. */
const fixtures: Fixtures = {
  model: "gpt-4o-mini",
  upstream: async (scenario) => played(await startEmulator({ script: scriptOf(scenario) })),
  unsupported: {
    reasoning: "the service gives none",
    tools: "the service takes no tools",
    split: NO_FRAMING,
    joined: NO_FRAMING,
    pages: "the plugin knows the service's models",
    oversized: "the service takes whatever is sent",
    begun: "an answer has no headers: its first event is its first text",
    garbage: `${NO_FRAMING}, and events that nobody knows are the service's own affair`,
    "2.9":
      "every event has the whole text so far, and only the latest is kept; pending-events.test.ts shows the bound",
  },
  handled: {
    stop: "the plugin ends the answer itself, because the service knows no stop sequences",
    stream_options: "there is no obfuscation that could be turned off",
  },
};

export default fixtures;

function played(emulator: Emulator): TestUpstream {
  const running = () => emulator.runs.filter(({ state }) => state === "running").length;
  return {
    options: {
      anon_key: emulator.anonKey,
      supabase_url: emulator.supabaseUrl,
      socket_url: emulator.socketUrl,
      credentials: { min: 0, max: 1 },
    },
    get active() {
      return running();
    },
    get received() {
      return emulator.runs.map(({ promptMeta, testCases }) => JSON.stringify([promptMeta, testCases]));
    },
    get accepted() {
      return Object.values(emulator.calls).reduce((sum, count) => sum + count, 0);
    },
    get connections() {
      return emulator.sockets;
    },
    get signUps() {
      return emulator.counts.signups;
    },
    expire: () => {
      for (const { id } of emulator.users) emulator.expireAccess(id);
    },
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  };
}

function scriptOf({ name, answer, errorMessage, retryAfterSeconds }: Scenario): EmulatorScript {
  const said = answer.events.map((event) => (event.type === "text" ? event.text : ""));
  const whole: EmulatorScript = {
    answer: answer.text,
    pieces: () => said.map((_, index) => said.slice(0, index + 1).join("")),
    usage: { prompt_tokens: answer.usage.input, completion_tokens: answer.usage.output },
    finishReason: answer.finish,
  };
  const refusal = (status: number, more: CallFault = {}) => ({
    status,
    body: { error: errorMessage },
    ...more,
  });
  const scripts: { readonly [scenario in ScenarioName]?: EmulatorScript } = {
    silent: { fault: { after: 0, how: "silence" } },
    stall: { fault: { after: HALF, how: "silence" } },
    cut: { fault: { after: HALF, how: "drop" } },
    end: { fault: { after: HALF, how: "disconnect" } },
    failing: { fault: { after: HALF, how: "failed", message: errorMessage } },
    broken: { initiate: refusal(500) },
    filtered: { initiate: refusal(400, { body: { error: errorMessage, code: "content_filter" } }) },
    spent: { initiate: refusal(402, { retryAfter: retryAfterSeconds }) },
    refused: { initiate: refusal(401) },
    limited: { initiate: refusal(429, { retryAfter: retryAfterSeconds }) },
    endless: { pace: 5 },
  };
  return { ...whole, ...scripts[name] };
}
