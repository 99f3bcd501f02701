import { UpstreamError } from "../contract/index.ts";
import type { Json } from "../contract/index.ts";
import { Body } from "./body.ts";
import { ByteBuffer } from "./byte-buffer.ts";
import { brokenOff } from "./failure.ts";
import { excerpt, parseJson } from "./json.ts";

const MAX_BYTES = 256 * 1024 * 1024;

/**
 * The JSON of a 2xx answer, as `post` and `get` give it. Rejects with the reason of `signal`, or with
 * `UpstreamError`: `truncated` if the connection breaks, `bad-response` if it isn't JSON or larger than 256 MiB.
 * `parse` is `parseJson` or `parseAsWritten`.
 */
export async function readJson(
  response: Response,
  signal: AbortSignal,
  parse: (text: string) => Json | undefined = parseJson,
): Promise<Json> {
  const body = new Body(response);
  const buffer = new ByteBuffer();
  try {
    await body.readInto(buffer, MAX_BYTES);
  } catch (error) {
    signal.throwIfAborted();
    throw brokenOff(error);
  } finally {
    await body.leave();
  }
  if (buffer.length > MAX_BYTES)
    throw new UpstreamError("bad-response", "the upstream's answer is too large");
  const text = new TextDecoder().decode(buffer.take());
  const json = parse(text);
  if (json === undefined) {
    throw new UpstreamError(
      "bad-response",
      `the upstream sent something that is no JSON: ${excerpt(text, 200)}`,
    );
  }
  return json;
}
