/**
 * Undoes content codings. RFC 9110, section 8.4; https://www.iana.org/assignments/http-parameters has their names.
 * @module
 */
type Bytes = Uint8Array<ArrayBuffer>;
type Stream = ReadableStream<Bytes>;

/** Names that stand for no coding. */
const NOTHING: ReadonlySet<string> = new Set(["", "identity", "none"]);

/** Limit of the codings of one body; more are an attack. */
const MAX_CODINGS = 5;

/** Compressed data of fewer bytes may look like text by chance. */
const TELLING_BYTES = 16;

/** Returns the codings that a `content-encoding` names, in the order of their application. */
export function codingsOf(header: string): readonly string[] {
  const names = header.split(",").map((name) => name.trim().toLowerCase());
  return names.filter((name) => !NOTHING.has(name));
}

/** Makes the error of a body that is not in the codings that its header names. */
export type DecodingError = (codings: readonly string[]) => Error;

/**
 * Returns the body with its codings undone, the last first. Servers and proxies often name codings that they didn't
 * apply (`utf-8`, or `gzip` over a plain text), so a text is taken as it is. Where a coding can't be undone, this
 * throws or the stream fails with the error that `makeError` makes.
 */
export function decoded(body: Stream, codings: readonly string[], makeError: DecodingError): Stream {
  const known = codings.filter((name) => name in CODINGS).toReversed() as CodingName[];
  const undecodable = (): Error => makeError(codings);
  if (known.length > MAX_CODINGS) throw undecodable();
  const plain = known.reduce(
    (stream, name) => rewritten(stream, undecodable, (first) => CODINGS[name](first)),
    body,
  );
  if (known.length === codings.length) return plain;
  return rewritten(plain, undecodable, (first) => {
    if (!isText(first)) throw undecodable();
    return undefined;
  });
}

/** Returns the format for a body that begins so; undefined if it isn't compressed. */
type Choice = (first: Bytes) => CompressionFormat | undefined;

const gzip: Choice = (first) => unless(first, first[0] === 0x1f && first[1] === 0x8b, "gzip");

const CODINGS = {
  gzip,
  "x-gzip": gzip,
  // RFC 9110 has zlib's format in mind, many servers don't.
  deflate: (first) => (isZlib(first) ? "deflate" : unless(first, false, "deflate-raw")),
  br: (first) => unless(first, false, "brotli" as CompressionFormat),
  zstd: (first) => unless(first, first[0] === 0x28 && first[1] === 0xb5, "zstd" as CompressionFormat),
} satisfies Readonly<Record<string, Choice>>;

type CodingName = keyof typeof CODINGS;

/** The format, unless it is a text that was not compressed at all. */
function unless(first: Bytes, isSure: boolean, format: CompressionFormat): CompressionFormat | undefined {
  return !isSure && first.length >= TELLING_BYTES && isText(first) ? undefined : format;
}

/** RFC 1950, section 2.2. */
function isZlib([method = 0, flags = 0]: Bytes): boolean {
  return (method & 0x0f) === 8 && ((method << 8) | flags) % 31 === 0;
}

/** Returns whether bytes are UTF-8 without control characters; the last character may be cut. */
function isText(bytes: Bytes): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    // oxlint-disable-next-line no-control-regex -- that is what tells compressed bytes
    return !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text);
  } catch {
    return false;
  }
}

/**
 * The body, decompressed as `choose` says when it knows how it begins. A body without a byte stays so. The source's
 * own failure is passed on, what the decompression says becomes `undecodable`.
 */
function rewritten(source: Stream, undecodable: () => Error, choose: Choice): Stream {
  const reader = source.getReader();
  let broken: { readonly error: unknown } | undefined;
  const read = async (): Promise<Bytes | undefined> => {
    try {
      return (await reader.read()).value;
    } catch (error) {
      broken ??= { error };
      throw error;
    }
  };
  let inner: ReadableStreamDefaultReader<Bytes> | undefined;
  const begin = async (): Promise<ReadableStreamDefaultReader<Bytes>> => {
    const first = await beginning(read);
    const rest = following(first, read, (reason) => reader.cancel(reason));
    const format = first.length === 0 ? undefined : choose(first);
    return (format === undefined ? rest : rest.pipeThrough(decompression(format))).getReader();
  };
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        try {
          inner ??= await begin();
          const { value } = await inner.read();
          if (value) controller.enqueue(value);
          else controller.close();
        } catch {
          void reader.cancel().catch(() => undefined);
          throw broken ? broken.error : undecodable();
        }
      },
      cancel: (reason) => (inner ?? reader).cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Enough bytes to tell what they are, or all that there are. */
async function beginning(read: () => Promise<Bytes | undefined>): Promise<Bytes> {
  let first: Bytes = new Uint8Array();
  while (first.length < TELLING_BYTES) {
    const piece = await read();
    if (!piece) break;
    first = first.length === 0 ? piece : Buffer.concat([first, piece]);
  }
  return first;
}

function following(
  first: Bytes,
  read: () => Promise<Bytes | undefined>,
  cancel: (reason: unknown) => Promise<void>,
): Stream {
  let next: Bytes | undefined = first;
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        const piece = next?.length ? next : await read();
        next = undefined;
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
      cancel,
    },
    { highWaterMark: 0 },
  );
}

function decompression(format: CompressionFormat): ReadableWritablePair<Bytes, Bytes> {
  const { readable, writable } = new DecompressionStream(format);
  return { readable: readable as Stream, writable: writable as WritableStream<Bytes> };
}
