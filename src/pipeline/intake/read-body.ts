import type { Json } from "../../contract/index.ts";
import { GatewayError } from "../../errors/gateway-error.ts";
import type { ByteReservation } from "../../limits/byte-budget.ts";
import type { Gateway } from "../../gateway.ts";
import type { Exchange } from "./exchange.ts";
import { parseBody } from "./parse-body.ts";

// `application/json`, `application/vnd.x+json`, `text/json`; a body without a type is taken at its word.
const JSON_TYPE = /^(?:application|text)\/(?:[\w.-]+\+)?json$/i;

/**
 * Reads the body as JSON, within the bounds for one body and for all of them together. At once, without a
 * promise, where all of it has come with the head, as that of nearly every request has.
 * Leaves with `unsupported_media_type`, `request_too_large`, `overloaded`, `request_timeout`, `invalid_json`.
 */
export function readBody(exchange: Exchange): Json | Promise<Json> {
  const { http, gateway } = exchange;
  checkType(http.headers);
  const length = declaredLength(http.headers, gateway);
  const reservation = gateway.bodies.reserve(length ?? 0);
  if (!reservation) throw overloaded(gateway);
  if (length === undefined || length > MAX_WHOLE_BYTES) return readPieces(exchange, length, reservation);
  const reading = http.bytes();
  const body = Bun.peek(reading);
  if (!(body instanceof Uint8Array)) return readWhole(exchange, reading, reservation);
  reservation[Symbol.dispose]();
  return parseBody(body);
}

// No `using`: its compiled form costs more than the rest of this function.
async function readWhole(
  exchange: Exchange,
  reading: Promise<Uint8Array<ArrayBuffer>>,
  reservation: ByteReservation,
): Promise<Json> {
  const timeouts = new BodyTimeouts(exchange);
  try {
    timeouts.expect();
    return parseBody(await Promise.race([orGone(reading, exchange), timeouts.over]));
  } finally {
    timeouts.end();
    reservation[Symbol.dispose]();
  }
}

async function readPieces(
  exchange: Exchange,
  length: number | undefined,
  reservation: ByteReservation,
): Promise<Json> {
  const { http, gateway } = exchange;
  const timeouts = new BodyTimeouts(exchange);
  const reader = http.body?.getReader();
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      timeouts.expect();
      const reading = reader && orGone(reader.read(), exchange);
      const { done, value } = (await Promise.race([reading, timeouts.over])) ?? NO_MORE;
      if (done) break;
      pieces.push(value);
      size += value.byteLength;
      if (size > gateway.limits.maxBody) throw tooLarge(gateway);
      if (length === undefined && !reservation.extend(value.byteLength)) throw overloaded(gateway);
    }
    return parseBody(Buffer.concat(pieces, size));
  } finally {
    timeouts.end();
    reservation[Symbol.dispose]();
    // Not awaited: cancelling waits for the client.
    reader?.cancel().then(undefined, () => undefined);
  }
}

/** Maps a failed read to the error of a disconnected client, its only cause. */
function orGone<T>(reading: Promise<T>, exchange: Exchange): Promise<T> {
  return reading.catch(() => Promise.reject(exchange.gone));
}

const NO_MORE = { done: true, value: undefined } as const;

function checkType(headers: Headers): void {
  // Fast path for nearly all requests.
  if (headers.get("content-type") === "application/json" && !headers.has("content-encoding")) return;
  // Of several content types the first counts, as in Node.js.
  const [first = ""] = (headers.get("content-type") ?? "").split(",", 1);
  const [type = "", ...parameters] = first.split(";").map((part) => part.trim());
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter))?.slice("charset=".length);
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    throw unsupportedType(`a body with content-encoding ${encoding} can't be read; send it uncompressed`);
  }
  if (type !== "" && !JSON_TYPE.test(type)) {
    throw unsupportedType(
      `content-type ${type} can't be read; send JSON with content-type: application/json`,
    );
  }
  if (charset && !/^"?utf-?8"?$/i.test(charset)) {
    throw unsupportedType(`charset ${charset} can't be read; JSON is UTF-8`);
  }
}

function unsupportedType(message: string): GatewayError {
  return new GatewayError("unsupported_media_type", message);
}

function declaredLength(headers: Headers, gateway: Gateway): number | undefined {
  const declared = headers.get("content-length");
  if (declared === null) return undefined;
  const length = Number(declared);
  if (length > gateway.limits.maxBody) throw tooLarge(gateway);
  return length;
}

/** Throws a GatewayError if a request that has grown by what it refers to is more than the gateway takes as a body. */
export function expectRoom(bytes: number, gateway: Gateway, param: string): void {
  if (bytes > gateway.limits.maxBody) throw tooLarge(gateway, param);
  using reservation = gateway.bodies.reserve(bytes);
  if (!reservation) throw overloaded(gateway);
}

function tooLarge(gateway: Gateway, param?: string): GatewayError {
  const what = param === undefined ? "the body" : `${param}: the request, with what it refers to,`;
  const message = `${what} is larger than this gateway takes (server.max_body, ${gateway.limits.maxBody} bytes)`;
  return new GatewayError("request_too_large", message, { param });
}

function overloaded(gateway: Gateway): GatewayError {
  const message = `the requests in flight hold as many bytes as this gateway takes at once (server.max_bodies, ${gateway.bodies.size} bytes)`;
  return new GatewayError("overloaded", message);
}

/** Longest body that is read in one piece, which costs half of reading a stream. */
const MAX_WHOLE_BYTES = 1024 * 1024;

/** Rejects when a client that sends a body is too slow or disconnects. */
class BodyTimeouts {
  readonly #exchange: Exchange;
  readonly #expired = Promise.withResolvers<never>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    // It may reject after the body was read.
    this.#expired.promise.catch(() => undefined);
    exchange.cancellation.listen(this.#onCancel);
  }

  /** Rejects on a timeout or disconnect. */
  get over(): Promise<never> {
    return this.#expired.promise;
  }

  /** Restarts the timeout for the next piece. */
  expect(): void {
    clearTimeout(this.#timer);
    const { age, gateway } = this.#exchange;
    const { bodyIdle, bodyTotal } = gateway.limits;
    this.#timer = setTimeout(this.#onTimeout, Math.max(0, Math.min(bodyIdle, bodyTotal - age)));
  }

  /** Clears the timeout. */
  end(): void {
    clearTimeout(this.#timer);
    this.#exchange.cancellation.forget(this.#onCancel);
  }

  readonly #onTimeout = (): void =>
    this.#expired.reject(new GatewayError("request_timeout", "the body did not come in time"));

  readonly #onCancel = (): void => this.#expired.reject(this.#exchange.cancellation.reason);
}
