import { expect } from "bun:test";
import type { RawRequest, RawResponse } from "./raw-http.ts";
import { rawFetch } from "./raw-http.ts";
import type { ScriptedGateway, Step } from "./scripted-gateway.ts";
import { HELLO, say, startScripted, stop } from "./scripted-gateway.ts";

/**
 * What the tests share that write their HTTP by hand: a gateway with short patience, and requests for it.
 * @module
 */
const ANSWERS: Readonly<Record<string, readonly Step[]>> = {
  hello: HELLO,
  "vendor/family/model": HELLO,
  mirror: [{ mirror: true }, stop()],
  "falls-silent": [say("Well"), { hang: true }],
};

export const MIB: number = 1024 * 1024;
export const KEY = "sk-wire-0123456789";
export const AUTHORIZATION = { authorization: `Bearer ${KEY}` };

const SETTINGS = `
keys: [{ name: wire, key: ${KEY} }]
server: { port: 0, max_body: 32MiB, max_bodies: 48MiB }
`;

/** A gateway that waits 300 ms for the next piece of a body, and 1.5 s for the whole. */
export function startWireGateway(): Promise<ScriptedGateway> {
  return startScripted(ANSWERS, { yaml: SETTINGS, limits: { bodyIdle: 300, bodyTotal: 1_500 } });
}

/** Whatever a client did: the gateway holds nothing that was its, and answers as before. */
export async function expectUnharmed(gateway: ScriptedGateway): Promise<void> {
  await gateway.quiet();
  expect((await rawFetch(gateway.url, chat("hello"))).status).toBe(200);
  await gateway.quiet();
}

/** A chat request's body. */
export function bodyFor(model: string, extra: object = {}): string {
  return JSON.stringify({ model, messages: [{ role: "user", content: "Well?" }], ...extra });
}

/** A good chat request. */
export function chat(model: string, extra: object = {}): RawRequest {
  return posted(bodyFor(model, extra));
}

/** A chat request with any body, and headers beside or in place of the usual ones. */
export function posted(body: string | Uint8Array, headers: Record<string, string> = {}): RawRequest {
  const type = { "content-type": "application/json" };
  return {
    method: "POST",
    path: "/v1/chat/completions",
    headers: { ...AUTHORIZATION, ...type, ...headers },
    body,
  };
}

/** A GET request with the key. */
export function got(path: string): RawRequest {
  return { path, headers: AUTHORIZATION };
}

/** The error that an answer tells. */
export function errorOf({ body }: RawResponse): { code: string; message: string; param: string | null } {
  return (JSON.parse(body) as { error: { code: string; message: string; param: string | null } }).error;
}
