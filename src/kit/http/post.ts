import { UpstreamError } from "../../contract/index.ts";
import type { Call, JsonObject } from "../../contract/index.ts";
import { stringifyJson } from "../../json/json-text.ts";
import { CANCELLING, cancelTokenOf, TAKES_CANCELLING } from "../../runtime/cancel-token.ts";
import { Body } from "./body.ts";
import { ByteBuffer } from "./byte-buffer.ts";
import { systemClock } from "../clock.ts";
import type { Clock } from "../clock.ts";
import { errorFromResponse } from "./errors.ts";
import { PIECES, reportActivity } from "../../runtime/byte-source.ts";
import { errorFromFetch } from "./error-from-fetch.ts";

export interface GetOptions {
  /** Usually `host.fetch`. */
  readonly fetch: typeof fetch;
  readonly url: string | URL;
  /** Headers to send; they override the ones that the kit sets. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Measures the deadline for reading an error's body. */
  readonly clock?: Clock;
}

export interface PostOptions extends GetOptions {
  /**
   * Of the request that the plugin was given, or of a copy of it made with `{...request}`, the members that weren't
   * changed are sent as the client wrote them (`call.originalBody`).
   */
  readonly body: JsonObject;
}

/**
 * Sends JSON with POST and resolves to the response once its headers have arrived, if its status is 2xx. Otherwise
 * rejects with `UpstreamError`: that of `errorFromResponse`, `unreachable` or `timeout` without a connection,
 * `unavailable` if the connection closed before the response, `bad-response` if the upstream sent no HTTP. When
 * `call.signal` aborts, the request and a read of its body reject with the signal's reason. Redirects are not followed:
 * they would send the credential to another host. Each chunk that `sse`, `openaiStream` or `readJson` reads calls
 * `call.alive()`.
 */
export async function post(
  call: Pick<Call, "signal" | "connected"> & Partial<Pick<Call, "alive" | "originalBody">>,
  options: PostOptions,
): Promise<Response> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  // A compressing proxy collects events until a block is full.
  if (options.body["stream"] === true) headers["accept-encoding"] = "identity";
  const body = call.originalBody?.(options.body) ?? stringifyJson(options.body);
  const response = await send(options, { method: "POST", headers, body, call });
  call.connected();
  if (!response.ok) return throwResponseError(response, options, call);
  reportActivity(response, call);
  return response;
}

/** Sends a GET request; resolves and rejects as `post` does. */
export async function get(options: GetOptions, signal: AbortSignal): Promise<Response> {
  const call = { signal };
  const response = await send(options, { method: "GET", headers: {}, call });
  return response.ok ? response : throwResponseError(response, options, call);
}

interface RequestParts {
  readonly method: string;
  /** The headers by lower-case names; they are written to. */
  readonly headers: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly call: Pick<Call, "signal">;
}

async function send(options: GetOptions, { method, headers, body, call }: RequestParts): Promise<Response> {
  for (const name in options.headers) headers[name.toLowerCase()] = options.headers[name] ?? "";
  try {
    return await options.fetch(options.url, {
      method,
      headers,
      ...(body !== undefined && { body }),
      ...abortOptions(call, options.fetch),
      ...WANTS_BYTE_SOURCE,
      redirect: "manual",
      // Bun's own idle timer would cut a model that thinks for five minutes; the gateway's deadlines rule.
      timeout: false,
    });
  } catch (error) {
    call.signal.throwIfAborted();
    throw errorFromFetch(options.url, error);
  }
}

/** Has the gateway's own `fetch` offer the body as a `ByteSource`, which saves the cost of a stream. */
const WANTS_BYTE_SOURCE = { [PIECES]: true } as const;

/** Returns the option that aborts the request with the call: a cancel token where `fetch` takes one, else a signal. */
function abortOptions(call: Pick<Call, "signal">, by: typeof fetch) {
  const cancelling = TAKES_CANCELLING in by ? cancelTokenOf(call) : undefined;
  return cancelling ? { [CANCELLING]: cancelling } : { signal: call.signal };
}

async function throwResponseError(
  response: Response,
  { clock, url }: GetOptions,
  { signal }: Pick<Call, "signal">,
): Promise<never> {
  const text = await readErrorText(response, clock ?? systemClock);
  signal.throwIfAborted();
  const { status, headers } = response;
  const location = headers.get("location");
  const target = location === null ? null : URL.parse(location, response.url || String(url));
  if (status >= 400 || !target) throw errorFromResponse(status, headers, text);
  throw new UpstreamError("bad-response", `the upstream redirects to another address (status ${status})`, {
    detail: `${target.origin}${target.pathname}`,
  });
}

/** Reads an error's body within 64 KiB and 5 seconds; the status alone is enough for an error. */
async function readErrorText(response: Response, clock: Clock): Promise<string> {
  const body = new Body(response);
  const buffer = new ByteBuffer();
  const cancelDeadline = clock.after(ERROR_BODY_MS, () => void body.cancel());
  try {
    await body.readInto(buffer, ERROR_BODY_BYTES);
  } catch {
    // The connection broke: the bytes so far have to do.
  } finally {
    cancelDeadline();
    await body.cancel();
  }
  return new TextDecoder().decode(buffer.take());
}

const ERROR_BODY_BYTES = 64 * 1024;
const ERROR_BODY_MS = 5000;
