import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import type { ChatCompletionCreateParamsNonStreaming } from "openai/resources/chat/completions";
import { jsonAnswer, sseAnswer, startFaultUpstream } from "../../test/support/fault-upstream.ts";
import type { FaultUpstream } from "../../test/support/fault-upstream.ts";
import { foldChunks } from "../../test/support/fold-chunks.ts";
import { startGateway } from "../../test/support/gateway.ts";
import type { RunningGateway } from "../../test/support/gateway.ts";
import { HEAD, PLAIN, REQUEST, STREAMS, USAGE } from "../../test/support/openai-scripts.ts";

/**
 * What the `openai` package sees of a server, asked directly and through the gateway, field by field.
 * @module
 */

/** The differences that are allowed, as what they make of the directly seen answer, or of the gateway's. */
const ALLOWED: readonly {
  readonly what: string;
  readonly direct?: (members: Members) => void;
  readonly gateway?: (members: Members) => void;
}[] = [
  {
    what: "a member that is null or an empty text may be missing",
    direct: withoutNothing,
    gateway: withoutNothing,
  },
  { what: "reasoning has one name", direct: (members) => rename(members, "reasoning", "reasoning_content") },
  {
    what: "padding of one connection's packets is dropped",
    direct: (members) => delete members["obfuscation"],
  },
  { what: "an unknown finish_reason becomes a known one, and is told beside it", direct: nativeReason },
  { what: "a streamed choice says whose words it is", direct: roleOf },
  { what: "a streamed usage says who counted", gateway: (members) => delete members["x_modelyard"] },
];

type Members = Record<string, unknown>;

function withoutNothing(members: Members): void {
  for (const [name, value] of Object.entries(members))
    if (value === null || value === "") delete members[name];
}

function rename(members: Members, name: string, other: string): void {
  if (typeof members[name] !== "string") return;
  members[other] = members[name];
  delete members[name];
}

function nativeReason(members: Members): void {
  if (members["finish_reason"] !== "eos") return;
  members["finish_reason"] = "stop";
  members["native_finish_reason"] = "eos";
}

function roleOf(members: Members): void {
  if (typeof members["delta"] === "object") members["delta"] = { role: "assistant", ...members["delta"] };
}

/** A copy with the allowed differences levelled, at every depth. */
function levelled(value: unknown, side: "direct" | "gateway"): unknown {
  if (Array.isArray(value)) return value.map((each) => levelled(each, side));
  if (typeof value !== "object" || value === null) return value;
  const members: Members = { ...value };
  for (const difference of ALLOWED) difference[side]?.(members);
  return Object.fromEntries(Object.entries(members).map(([name, inner]) => [name, levelled(inner, side)]));
}

let server: FaultUpstream;
let gateway: RunningGateway;
let clients: { readonly direct: OpenAI; readonly gateway: OpenAI };

beforeAll(async () => {
  server = await startFaultUpstream();
  server.respond = (exchange) => {
    const {
      model,
      stream,
      stream_options: asked,
    } = exchange.json() as { model: string; stream?: boolean; stream_options?: { include_usage?: boolean } };
    if (!stream)
      return exchange.send(jsonAnswer({ ...HEAD, object: "chat.completion", ...PLAIN[model], usage: USAGE }));
    const usage = asked?.include_usage ? [{ choices: [], usage: USAGE }] : [];
    const chunks = [...(STREAMS[model] ?? []), ...usage].map((chunk) => ({
      ...HEAD,
      object: "chat.completion.chunk",
      ...chunk,
    }));
    return exchange.send(
      sseAnswer([...chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`), "data: [DONE]\n\n"]),
    );
  };
  gateway = await startGateway(
    `upstreams: { it: { plugin: openai, options: { base_url: "${server.url}/v1", api_key: sk-upstream, models: [${Object.keys(PLAIN).join(", ")}] } } }\n`,
  );
  clients = {
    direct: new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "sk-upstream", maxRetries: 0 }),
    gateway: new OpenAI({ baseURL: gateway.baseURL, apiKey: gateway.key, maxRetries: 0 }),
  };
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const asking = (model: string): ChatCompletionCreateParamsNonStreaming => ({
  ...REQUEST,
  model,
  n: model === "choices" ? 3 : 1,
});

describe("a plain answer is the same:", () => {
  test.each(Object.keys(PLAIN))("%s", async (model) => {
    const direct = await clients.direct.chat.completions.create(asking(model));
    const through = await clients.gateway.chat.completions.create(asking(model));
    expect(levelled(through, "gateway")).toEqual(levelled(direct, "direct"));
  });
});

describe("a streamed answer is the same:", () => {
  async function streamed(client: OpenAI, model: string, includeUsage: boolean): Promise<object[]> {
    const n = model === "choices" ? 2 : 1;
    const options = includeUsage ? { stream_options: { include_usage: true } } : {};
    return Array.fromAsync(
      await client.chat.completions.create({ ...asking(model), n, stream: true, ...options }),
    );
  }

  test.each(Object.keys(STREAMS))("%s", async (model) => {
    for (const includeUsage of [true, false]) {
      const direct = await streamed(clients.direct, model, includeUsage);
      const through = await streamed(clients.gateway, model, includeUsage);
      expect(levelled(foldChunks(through), "gateway")).toEqual(levelled(foldChunks(direct), "direct"));
    }
  });

  test("and so is what the package itself makes of it", async () => {
    for (const model of ["text", "tools"]) {
      const seen = [clients.direct, clients.gateway].map((client) =>
        client.chat.completions
          .stream({ ...asking(model), tools: [], response_format: { type: "text" }, stream: true })
          .finalMessage(),
      );
      const [direct, through] = await Promise.all(seen);
      expect(levelled(through, "gateway")).toEqual(levelled(direct, "direct"));
    }
  });
});

test("a request is the same, but for the usage that streams are asked for", async () => {
  const seen: unknown[] = [];
  for (const client of [clients.direct, clients.gateway]) {
    await client.chat.completions.create(asking("text"));
    seen.push(server.requests.at(-1)?.json());
    await Array.fromAsync(await client.chat.completions.create({ ...asking("text"), stream: true }));
    seen.push(server.requests.at(-1)?.json());
  }
  expect(seen[2]).toEqual(seen[0]);
  expect(seen[3]).toEqual({ ...(seen[1] as object), stream_options: { include_usage: true } });
});
