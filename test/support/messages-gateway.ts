import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Exchange, FaultUpstream } from "./fault-upstream.ts";
import { startFaultUpstream } from "./fault-upstream.ts";
import type { RunningGateway } from "./gateway.ts";
import { startGateway, TEST_KEY } from "./gateway.ts";

/** Clients' name for the model, and the server's own. */
export const ASKED = "claude";
export const SERVED = "claude-sonnet-4-5";

/** A gateway in front of a server that speaks Anthropic's API, and of one that speaks OpenAI's. */
export interface MessagesGateway extends AsyncDisposable {
  readonly gateway: RunningGateway;
  readonly anthropic: FaultUpstream;
  readonly openai: FaultUpstream;
  /** A POST to /v1/messages; a text is sent as it is. */
  ask(body: object | string, headers?: Record<string, string>): Promise<Response>;
}

/** `claude` leads to the first, and then to the second. `yaml` is added to gateway.yaml. */
export async function startMessages(yaml = "", timeouts = "{}"): Promise<MessagesGateway> {
  const [anthropic, openai] = [await startFaultUpstream(), await startFaultUpstream()];
  const gateway = await startGateway(`${yaml}
upstreams:
  first:
    plugin: anthropic
    timeouts: ${timeouts}
    options: { base_url: "${anthropic.url}", api_key: sk-ant-0123456789, models: [${SERVED}] }
  second: { plugin: openai, options: { base_url: "${openai.url}/v1", api_key: sk-0123456789, models: [gpt-4o] } }
routes:
  - model: ${ASKED}
    targets: [{ upstream: first, model: ${SERVED} }, { upstream: second, model: gpt-4o }]
`);
  return {
    gateway,
    anthropic,
    openai,
    ask: (body, headers = {}) =>
      fetch(`${gateway.baseURL}/messages`, {
        method: "POST",
        headers: { "x-api-key": TEST_KEY, "content-type": "application/json", ...headers },
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await anthropic[Symbol.asyncDispose]();
      await openai[Symbol.asyncDispose]();
    },
  };
}

/** A recorded answer of Anthropic's. */
export function recordedText(name: string): string {
  return readFileSync(join(import.meta.dir, "../../plugins/anthropic/fixtures", name), "utf8");
}

/** A stream without its pings. */
export function withoutPings(stream: string): string {
  return stream.replaceAll(/event: ping\n.*\n\n/g, "");
}

/** Answers in HTTP, with one chunk for each event. */
export function answer(exchange: Exchange, body: string, status = 200): void {
  exchange.head(status, { "content-type": body.startsWith("{") ? "application/json" : "text/event-stream" });
  for (const event of body.split(/(?<=\n\n)/)) exchange.chunk(event);
  exchange.end();
}
