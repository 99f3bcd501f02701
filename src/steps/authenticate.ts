import { RequestError } from "../dialects/request-error.ts";
import type { Gateway } from "../state/gateway.ts";
import type { Caller } from "../state/keyring.ts";
import type { RequestCall } from "./open-call.ts";

// `Bearer Bearer KEY` is what the predecessor's README taught people to type.
const SCHEMES = /^(?:bearer\s+)+/i;

/**
 * Step 2: finds the caller by the key in `Authorization: Bearer`, `x-api-key` or `api-key`. Several headers
 * may stand side by side, empty ones among them; one good key is enough.
 * Leaves with `invalid_api_key`, `key_expired`.
 */
export function authenticate(http: Request, call: RequestCall, gateway: Gateway): Caller {
  const keys = presentedKeys(http.headers);
  if (keys.length === 0) {
    throw unauthorized("no API key given; send it as `Authorization: Bearer KEY`");
  }
  const caller = keys.map((key) => gateway.keyring.find(key)).find((found) => found !== undefined);
  if (!caller) throw unauthorized("the API key is not one of this gateway's");
  call.note({ key: caller.name });
  refuseExpired(caller);
  return caller;
}

/** Throws `key_expired` for a key whose time is over. */
export function refuseExpired({ name, expires }: Caller): void {
  if (expires === undefined || expires > Date.now()) return;
  throw new RequestError("key_expired", `the key "${name}" expired on ${day(expires)}`);
}

function presentedKeys(headers: Headers): string[] {
  const bearer = headers.get("authorization")?.trim().replace(SCHEMES, "");
  const candidates = [bearer, headers.get("x-api-key"), headers.get("api-key")];
  return candidates.map((key) => key?.trim() ?? "").filter((key) => key !== "" && !/^bearer$/i.test(key));
}

function unauthorized(message: string): RequestError {
  return new RequestError("invalid_api_key", message, { headers: { "www-authenticate": "Bearer" } });
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
