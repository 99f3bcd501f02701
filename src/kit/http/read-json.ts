import { UpstreamError } from "../../contract/index.ts";
import type { Json } from "../../contract/index.ts";
import { Body } from "./body.ts";
import { ByteBuffer } from "./byte-buffer.ts";
import { truncatedError } from "./errors.ts";
import { parseJson } from "../json/parse.ts";
import { singleLine } from "../json/values.ts";

const MAX_BYTES = 256 * 1024 * 1024;
const MAX_LIST_BYTES = 16 * 1024 * 1024;

/**
 * Resolves to the JSON of a 2xx response of `post` or `get`. A connection that breaks after a complete object or array is
 * no error. Rejects with the reason of `signal`, or with `UpstreamError`: `truncated` if the body is incomplete,
 * `bad-response` if it isn't JSON or is larger than 256 MiB. `parse` is `parseJson` or `parseAsWritten`.
 */
export function readJson(
  response: Response,
  signal: AbortSignal,
  parse: (text: string) => Json | undefined = parseJson,
): Promise<Json> {
  return readWithin(MAX_BYTES, response, { signal, parse });
}

/** Resolves to the JSON of a list of models, as `readJson` does; the limit is 16 MiB. */
export function readModelList(response: Response, signal: AbortSignal): Promise<Json> {
  return readWithin(MAX_LIST_BYTES, response, { signal, parse: parseJson });
}

interface ReadOptions {
  readonly signal: AbortSignal;
  readonly parse: (text: string) => Json | undefined;
}

async function readWithin(
  maxBytes: number,
  response: Response,
  { signal, parse }: ReadOptions,
): Promise<Json> {
  const body = new Body(response);
  const buffer = new ByteBuffer();
  let broken: UpstreamError | undefined;
  try {
    await body.readInto(buffer, maxBytes);
  } catch (error) {
    signal.throwIfAborted();
    broken = truncatedError(error);
  } finally {
    await body.cancel();
  }
  if (buffer.length > maxBytes)
    throw new UpstreamError("bad-response", `the upstream's answer is larger than ${maxBytes >> 20} MiB`);
  const text = new TextDecoder().decode(buffer.take());
  const json = parse(text);
  // A truncated number parses too.
  if (json !== undefined && (!broken || typeof json === "object")) return json;
  throw broken ?? errorOfText(text);
}

function errorOfText(text: string): UpstreamError {
  if (/^\s*[[{]/.test(text) && !/[\]}]\s*$/.test(text))
    return new UpstreamError("truncated", "the upstream's answer broke off before its end");
  return new UpstreamError("bad-response", "the upstream sent something that is no JSON", {
    detail: singleLine(text),
  });
}
