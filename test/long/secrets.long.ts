import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Exchange } from "../support/fault-upstream.ts";
import {
  jsonAnswer,
  openaiChunks,
  openaiCompletion,
  sseAnswer,
  startFaultUpstream,
} from "../support/fault-upstream.ts";
import { CodeProcess, GatewayFolder, startMain } from "../support/gateway-process.ts";

/**
 * Nothing that is secret or private stands where others read it: each is a canary, which is sent wherever it can be
 * and then searched for wherever the gateway writes.
 * @module
 */
const SECRETS = {
  fileKey: "sk-canary-file-7f3a9b1c2d",
  hashedKey: "sk-canary-hashed-1a2b3c4d5e",
  wrongKey: "sk-canary-wrong-9e8d7c6b5a",
  upstreamKey: "sk-canary-upstream-0f1e2d3c4b",
  token: 'canary-token"with\\quotes-5a6b7c8d',
  credential: "canary-credential-3c4d5e6f7a8b",
};
const PRIVATE = {
  prompt: "canary-prompt-c0ffee",
  answer: "canary-answer-c0ffee",
  user: "canary-user-c0ffee",
  tool: "canary-tool-c0ffee",
  value: "canary-value-c0ffee",
};

const PLUGIN = await Bun.file(new URL("../support/plugins/confiding.ts", import.meta.url)).text();
const HTTP_MODELS = ["good", "refused", "unauthorized", "broken", "long", "cut", "late"];
const OWN_MODELS = ["says", "calls", "bug", "late-bug", "fault", "late-fault"];

function yamlFor(url: string, { level, log }: Telemetry): string {
  const keys = [
    { name: "file", key: SECRETS.fileKey },
    { name: "hashed", key_sha256: new Bun.CryptoHasher("sha256").update(SECRETS.hashedKey).digest("hex") },
  ];
  const { token, credential, upstreamKey } = SECRETS;
  const upstreams = {
    own: { plugin: "./confiding.ts", options: { token, credential, answer: PRIVATE.answer } },
    http: {
      plugin: "openai",
      options: { base_url: `${url}/v1`, api_key: upstreamKey, models: HTTP_MODELS },
    },
  };
  return [
    "server: { port: 0 }",
    `telemetry: ${JSON.stringify({ level, log })}`,
    "storage: { database: 'sqlite:./data/test.db' }",
    "health: { failures: 1000000 }",
    "retry: { attempts: 2, backoff: 1ms }",
    `keys: ${JSON.stringify(keys)}`,
    `upstreams: ${JSON.stringify(upstreams)}`,
  ].join("\n");
}

/** An upstream that repeats the request and its key, in errors too. */
function confide(exchange: Exchange): void {
  const asked = exchange.json() as { readonly model: string; readonly stream?: boolean };
  const said = `${exchange.headers.get("authorization")} asked ${new TextDecoder().decode(exchange.body)}`;
  const fail = (status: number, message = said) => exchange.send(jsonAnswer({ error: { message } }, status));
  if (asked.model === "refused") return fail(400);
  if (asked.model === "unauthorized") return fail(401);
  if (asked.model === "broken") return fail(500);
  // Messages are cut at 500 characters: here within the key.
  if (asked.model === "long") return fail(400, `${"-".repeat(475)} ${SECRETS.upstreamKey}`);
  if (!asked.stream) return exchange.send(jsonAnswer(openaiCompletion(PRIVATE.answer)));
  const frames = openaiChunks(PRIVATE.answer, { units: 100 });
  if (asked.model === "good") return exchange.send(sseAnswer(frames));
  const error = `data: ${JSON.stringify({ error: { message: said } })}\n\n`;
  exchange.send(sseAnswer([...frames.slice(0, 2), ...(asked.model === "late" ? [error] : [])]));
}

interface Telemetry {
  readonly level: "info" | "debug";
  readonly log: "json" | "pretty";
}

test.each<Telemetry>([
  { level: "info", log: "json" },
  { level: "info", log: "pretty" },
  { level: "debug", log: "json" },
  { level: "debug", log: "pretty" },
])(
  "at $level, as $log, nothing secret is written anywhere, and nothing private but to whom it belongs",
  async (telemetry) => {
    await using upstream = await startFaultUpstream();
    upstream.respond = confide;
    using folder = new GatewayFolder(yamlFor(upstream.url, telemetry), { "confiding.ts": PLUGIN });
    const modelyard = commandsIn(folder);
    await using gateway = startMain(folder);
    const url = await gateway.listening();
    const created = await modelyard("keys", "create", "made");
    const made = created.stdout.trim();
    expect(made).toStartWith("sk-my-");

    const answers = await askEverything(url, [SECRETS.fileKey, SECRETS.hashedKey, made]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const said = [];
    for (const words of [
      ["usage", "--json"],
      ["usage", "--by", "model"],
      ["audit"],
      ["keys", "list"],
      ["explain", "good"],
    ]) {
      const { stdout, stderr } = await modelyard(...words);
      said.push(stdout, stderr);
    }
    const whileRunning = filesOf(join(folder.path, "data"));
    gateway.signal("SIGTERM");
    const { stdout, stderr } = await gateway.ended();
    const files = [...whileRunning, ...filesOf(join(folder.path, "data"))];

    expect(answers.length).toBeGreaterThan(90);
    expect(files.length).toBeGreaterThan(4);
    expect(metrics).toContain('"good"');
    expect(stderr).toContain("remembered");
    const secrets = [...Object.values(SECRETS), made].flatMap(formsOf);
    const everything = [...answers.map(({ text }) => text), metrics, ...said, stdout, stderr, ...files];
    for (const text of everything) expectNone(text, secrets);
    const hidden = Object.values(PRIVATE);
    const log = telemetry.level === "info" ? [stdout, stderr] : [];
    for (const text of [metrics, ...said, ...log, ...files]) expectNone(text, hidden);
    // A plugin's mistake is nobody's message; an upstream's own words are its client's.
    for (const { model, text } of answers) if (model === "bug") expectNone(text, hidden);
  },
  60_000,
);

function commandsIn(folder: GatewayFolder) {
  return async (...words: readonly string[]) => {
    await using command = new CodeProcess("src/cli/main.ts", [...words, "--config", folder.config]);
    return await command.ended();
  };
}

/** A secret as it is, as it stands in JSON, and its first half: what is cut off is no less a leak. */
function formsOf(secret: string): string[] {
  return [secret, JSON.stringify(secret).slice(1, -1), secret.slice(0, Math.ceil(secret.length / 2) + 4)];
}

function expectNone(text: string, canaries: readonly string[]): void {
  for (const canary of canaries) {
    const at = text.indexOf(canary);
    expect(at < 0 ? "" : text.slice(Math.max(0, at - 200), at + 100)).toBe("");
  }
}

interface Answered {
  readonly model: string;
  /** Headers and body. */
  readonly text: string;
}

interface Asked {
  readonly model: string;
  readonly [field: string]: unknown;
}

async function askEverything(url: string, keys: readonly string[]): Promise<Answered[]> {
  const answers: Answered[] = [];
  const ask = async (path: string, key: string, body: Asked) => {
    const response = await fetch(`${url}/v1/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    });
    const headers = JSON.stringify(Object.fromEntries(response.headers));
    answers.push({ model: body.model, text: headers + (await response.text()) });
  };
  const { prompt, user, tool, value } = PRIVATE;
  const call = { id: "1", type: "function", function: { name: "f", arguments: JSON.stringify({ tool }) } };
  const messages = [
    { role: "user", content: prompt },
    { role: "assistant", content: null, tool_calls: [call] },
    { role: "tool", tool_call_id: "1", content: tool },
  ];
  for (const key of keys) {
    for (const model of [...OWN_MODELS, ...HTTP_MODELS])
      for (const stream of [true, false])
        await ask("chat/completions", key, { model, messages, user, stream });
    await ask("completions", key, { model: "broken", prompt, user });
    await ask("embeddings", key, { model: "broken", input: prompt, user });
    await ask("chat/completions", key, { model: "good", messages: [{ role: value, content: prompt }] });
    await ask("chat/completions", key, { model: "good", messages: value });
    await ask("chat/completions", key, { model: "good", messages, stream: value });
    await ask("chat/completions", key, { model: "good", messages, response_format: value, tools: value });
  }
  await ask("chat/completions", SECRETS.wrongKey, { model: "good", messages });
  return answers;
}

/** All files of a folder, byte for byte. */
function filesOf(folder: string): string[] {
  return readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
}
