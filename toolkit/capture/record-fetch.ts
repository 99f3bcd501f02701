import type { BodyReader } from "./body-reader.ts";
import { readerOf } from "./body-reader.ts";
import { isSecretName } from "./redact.ts";
import type { ResponseFrame } from "./recording.ts";
import { parseJson } from "./socket-packet.ts";
import type { FrameLog } from "./frame-log.ts";

type Fetch = typeof fetch;

/** Wraps `fetch` so that requests and responses are also written to `frameLog`. */
export function recordingFetch(original: Fetch, frameLog: FrameLog): Fetch {
  const recorded = async (...[input, init]: Parameters<Fetch>): Promise<Response> => {
    const exchange = frameLog.nextId();
    await recordRequest(readable(input, init), exchange, frameLog);
    const response = await original(input, init);
    recordResponse(response, exchange, frameLog);
    return response;
  };
  return Object.assign(recorded, { preconnect: original.preconnect });
}

/** Returns a readable copy of a request. A body that is a stream can be read only once, and is left out. */
function readable(...[input, init]: Parameters<Fetch>): Request {
  const first = input instanceof Request ? input.clone() : input;
  const { body } = init ?? {};
  const again = body instanceof ReadableStream ? null : body;
  return new Request(first, { ...init, signal: null, ...(again !== undefined && { body: again }) });
}

async function recordRequest(request: Request, exchange: number, frameLog: FrameLog): Promise<void> {
  const { method, url, headers } = request;
  const at = frameLog.now();
  for (const [name, value] of headers) if (isSecretName(name)) addWords(frameLog.secrets, value);
  const body = request.body === null ? undefined : parseJson(await request.text());
  const frame = { kind: "request", at, exchange, method, url, headers: namesOf(headers) } as const;
  frameLog.frames.push(body === undefined ? frame : { ...frame, body });
}

/** Adds the parts of a header's value that are long enough for a secret; schemes and cookie names are not. */
function addWords(secrets: Set<string>, value: string): void {
  for (const word of value.split(/[\s;,=]+/)) if (word.length > 8) secrets.add(word);
}

/** Records a copy of the body, while the plugin gets the original response. */
function recordResponse(response: Response, exchange: number, frameLog: FrameLog): void {
  const { status, headers } = response;
  const contentType = (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const frame: ResponseFrame = {
    kind: "response",
    at: frameLog.now(),
    exchange,
    status,
    contentType,
    headers: namesOf(headers),
    pieces: [],
  };
  frameLog.frames.push(frame);
  const { body } = response.clone();
  if (body) void recordBody(body, readerOf(contentType, frame), { frame, frameLog });
}

async function recordBody(
  body: ReadableStream<Uint8Array>,
  reader: BodyReader,
  { frame, frameLog }: { readonly frame: ResponseFrame; readonly frameLog: FrameLog },
): Promise<void> {
  try {
    for await (const piece of body) {
      const at = frameLog.now();
      frame.pieces.push({ at, bytes: piece.byteLength });
      reader.push(piece, at);
    }
  } catch {
    // The plugin gets the error of a body that fails; what was read before is recorded.
  } finally {
    reader.end();
  }
}

function namesOf(headers: Headers): string[] {
  return [...headers.keys()].toSorted();
}
