import { GatewayFolder } from "./gateway-process.ts";
import type { Answers } from "./scripted-gateway.ts";
import { SCRIPTED_PLUGIN, scriptedUpstream } from "./scripted-gateway.ts";

/**
 * What the tests of the process share: folders to start it in, and a request for it.
 * @module
 */
/** The address as the shipped file has it, on any free port. */
export const SERVER = 'server: { host: "${HOST:-127.0.0.1}", port: "${PORT:-0}" }\n';
/** The key of CONFIGURED. */
export const KEY = "sk-configured-0123456789";
/** The key as the shipped file has it. */
export const KEYS = "keys: [{ name: master, key: '${API_MASTER_KEY:-}' }]\n";
/** The environment that sets it. */
export const CONFIGURED = { API_MASTER_KEY: KEY };

/** A folder with a gateway whose only upstream answers as told. */
export function folderWith(answers: Answers, yaml = SERVER + KEYS): GatewayFolder {
  return new GatewayFolder(yaml + scriptedUpstream(answers), { "scripted.ts": SCRIPTED_PLUGIN });
}

/** A chat request, streamed unless told otherwise; `parameters` are those of its body. */
export function ask(
  url: string,
  model: string,
  { key = KEY, stream = true, ...parameters }: { key?: string; stream?: boolean; max_tokens?: number } = {},
): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, stream, messages: [{ role: "user", content: "Well?" }], ...parameters }),
  });
}

/** A gateway.yaml with one mistake in each of four places. */
export const MISTAKES = `
server: { prot: 8088 }
upstreams:
  one: { plugin: ./scripted.ts, options: { answers: {}, extra: 1 } }
  two: { plugin: ./nowhere.ts }
routes:
  - model: fast
    targets: [tree]
`;

/** What its report must say. */
export const MISTAKES_SAID = [
  "gateway.yaml:2:",
  "prot",
  '"port"',
  "gateway.yaml:4:",
  "extra",
  "gateway.yaml:5:",
  "nowhere.ts",
  "gateway.yaml:8:",
  "there is no upstream of this name",
];
