import { GatewayError } from "../errors/gateway-error.ts";
import type { Gateway } from "../gateway.ts";
import { KeysUnreadable } from "../keys/key-cache.ts";
import type { Caller, Keyring } from "../keys/keyring.ts";
import type { RequestCall } from "./exchange.ts";

// `Bearer Bearer KEY` is what the predecessor's README taught people to type.
const SCHEMES = /^(?:bearer\s+)+/i;
/** A scheme without a key. */
const NO_KEY = /^bearer$/i;

/**
 * Step 2: finds the caller by the key in `Authorization: Bearer`, `x-api-key` or `api-key`. Several headers
 * may stand side by side, empty ones among them; one good key is enough.
 * Leaves with `invalid_api_key`, `key_expired`, and with `overloaded` where nobody can say whether a key is good.
 */
export function authenticate(http: Request, call: RequestCall, gateway: Gateway): Caller | Promise<Caller> {
  const keys = presentedKeys(http.headers);
  if (keys.length === 0) {
    throw unauthorized("no API key given; send it as `Authorization: Bearer KEY`");
  }
  const admit = (caller: Caller): Caller => {
    call.caller = caller;
    refuseExpired(caller);
    return caller;
  };
  for (const key of keys) {
    const caller = gateway.keyring.find(key);
    if (caller) return admit(caller);
  }
  return lookUp(keys, gateway.keyring).then(admit);
}

async function lookUp(keys: readonly string[], keyring: Keyring): Promise<Caller> {
  let unreadable: KeysUnreadable | undefined;
  for (const key of keys) {
    try {
      const caller = await keyring.lookUp(key);
      if (caller) return caller;
    } catch (error) {
      if (!(error instanceof KeysUnreadable)) throw error;
      unreadable = error;
    }
  }
  if (!unreadable) throw unauthorized("the API key is not one of this gateway's");
  const { retryAfterMs } = unreadable;
  const message = "the gateway can't look up the API key at the moment; try again soon";
  throw new GatewayError("overloaded", message, { cause: unreadable, retryAfterMs });
}

/** Throws `key_expired` for a key whose time is over. */
export function refuseExpired({ name, expires }: Caller): void {
  if (expires === undefined || expires > Date.now()) return;
  throw new GatewayError("key_expired", `the key "${name}" expired on ${day(expires)}`);
}

function presentedKeys(headers: Headers): string[] {
  const keys: string[] = [];
  for (const name of ["authorization", "x-api-key", "api-key"]) {
    const value = headers.get(name);
    if (!value) continue;
    const key = (name === "authorization" ? value.trim().replace(SCHEMES, "") : value).trim();
    if (key !== "" && !NO_KEY.test(key)) keys.push(key);
  }
  return keys;
}

function unauthorized(message: string): GatewayError {
  return new GatewayError("invalid_api_key", message, { headers: { "www-authenticate": "Bearer" } });
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
