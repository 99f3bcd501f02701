import type { Dialect } from "../../dialects/dialect.ts";
import type { ClientState, KeptTexts } from "../../dialects/kept-texts.ts";
import { GatewayError } from "../../errors/gateway-error.ts";
import { KeysUnreadableError } from "../../keys/key-cache.ts";
import type { Caller } from "../../keys/keyring.ts";
import type { Exchange, RequestProgress } from "./exchange.ts";
import { expectRoom } from "./read-body.ts";

// `Bearer Bearer KEY` is what the predecessor's README taught people to type.
const SCHEMES = /^(?:bearer\s+)+/i;
/** A scheme without a key. */
const NO_KEY = /^bearer$/i;

/** A request whose caller is known. Only `authenticate` makes one. */
class Authenticated implements RequestProgress, ClientState {
  declare protected readonly step: "authenticated";
  readonly exchange: Exchange;
  readonly caller: Caller;

  constructor(exchange: Exchange, caller: Caller) {
    this.exchange = exchange;
    this.caller = caller;
  }

  get kept(): KeptTexts | undefined {
    return this.exchange.gateway.kept?.of(this.caller.hash);
  }

  expectRoom(bytes: number, param: string): void {
    expectRoom(bytes, this.exchange.gateway, param);
  }
}

export type { Authenticated };

/**
 * Finds the caller by the key in one of the headers in which clients of this dialect send it. Several headers may stand
 * side by side, empty ones among them; one good key is enough.
 * Leaves with `invalid_api_key`, `key_expired`, and with `overloaded` where nobody can say whether a key is good.
 */
export function authenticate(exchange: Exchange): Authenticated | Promise<Authenticated> {
  const { http, dialect, gateway } = exchange;
  const keys = presentedKeys(http.headers, dialect.keyHeaders);
  if (keys.length === 0) {
    const [header] = dialect.keyHeaders;
    const form = header === "authorization" ? "Authorization: Bearer KEY" : `${header}: KEY`;
    throw unauthorized(`no API key given; send it as \`${form}\``, dialect);
  }
  for (const key of keys) {
    const caller = gateway.keyring.find(key);
    if (caller) return authenticated(exchange, caller);
  }
  return lookUp(keys, exchange).then((caller) => authenticated(exchange, caller));
}

function authenticated(exchange: Exchange, caller: Caller): Authenticated {
  const client = new Authenticated(exchange, caller);
  exchange.reached(client);
  refuseExpired(caller);
  return client;
}

async function lookUp(keys: readonly string[], { dialect, gateway }: Exchange): Promise<Caller> {
  let unreadable: KeysUnreadableError | undefined;
  for (const key of keys) {
    try {
      const caller = await gateway.keyring.lookUp(key);
      if (caller) return caller;
    } catch (error) {
      if (!(error instanceof KeysUnreadableError)) throw error;
      unreadable = error;
    }
  }
  if (!unreadable) throw unauthorized("the API key is not one of this gateway's", dialect);
  const { retryAfterMs } = unreadable;
  const message = "the gateway can't look up the API key at the moment; try again soon";
  throw new GatewayError("overloaded", message, { cause: unreadable, retryAfterMs });
}

/** Throws `key_expired` for a key whose time is over. */
export function refuseExpired({ name, expires }: Caller): void {
  if (expires === undefined || expires > Date.now()) return;
  throw new GatewayError("key_expired", `the key "${name}" expired on ${day(expires)}`);
}

function presentedKeys(headers: Headers, names: readonly string[]): string[] {
  const keys: string[] = [];
  for (const name of names) {
    const value = headers.get(name);
    if (!value) continue;
    const key = (name === "authorization" ? value.trim().replace(SCHEMES, "") : value).trim();
    if (key !== "" && !NO_KEY.test(key)) keys.push(key);
  }
  return keys;
}

function unauthorized(message: string, { keyHeaders }: Dialect): GatewayError {
  const headers = keyHeaders.includes("authorization") ? { "www-authenticate": "Bearer" } : {};
  return new GatewayError("invalid_api_key", message, { headers });
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
