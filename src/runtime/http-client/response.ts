import { HeadersCache } from "../headers-cache.ts";
import type { ByteSource } from "../byte-source.ts";
import { PIECES } from "../byte-source.ts";
import type { DecodingError } from "./decoding.ts";
import { codingsOf, decoded } from "./decoding.ts";
import type { Exchange } from "./exchange.ts";
import type { AnswerHead, RawHeaders } from "./llhttp.ts";

interface ResponseInit {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Record<string, string>;
}

/** The URL of the request, and how its answer is read. */
interface RequestedUrl {
  readonly url: string;
  readonly takesPieces: boolean;
}

/** Statuses without a body. https://fetch.spec.whatwg.org/#null-body-status */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** Makes the responses of one client. */
export class ResponseFactory {
  readonly #headers = new HeadersCache();
  readonly #decodingError: DecodingError;

  constructor(decodingError: DecodingError) {
    this.#decodingError = decodingError;
  }

  /**
   * Returns the response that begins with `head`. Throws an error with a `code` if it can't be one. Content codings are
   * undone as by `decoded`.
   */
  of(head: AnswerHead, exchange: Exchange, { url, takesPieces }: RequestedUrl): Response {
    const { status, statusText } = head;
    if (status < 200 || status > 599) {
      throw Object.assign(new Error(`the server answered with status ${status}`), {
        code: "HPE_INVALID_STATUS",
      });
    }
    const headers = recordOf(head.headers);
    const init = { status, statusText, headers };
    if (WITHOUT_BODY.has(status)) {
      exchange.drain();
      return new FetchedResponse(null, init, url);
    }
    const coding = headers["content-encoding"];
    const codings = coding === undefined ? NONE : codingsOf(coding);
    if (codings.length === 0)
      return takesPieces
        ? new PiecesResponse(exchange, { ...init, sent: this.#headers.of(headers) }, url)
        : new FetchedResponse(streamOf(exchange), init, url);
    delete headers["content-encoding"];
    delete headers["content-length"];
    return new FetchedResponse(decoded(streamOf(exchange), codings, this.#decodingError), init, url);
  }
}

const NONE: readonly string[] = [];

/** Headers by their names in small letters; those of one name are one list. RFC 9110, section 5.2. */
function recordOf(raw: RawHeaders): Record<string, string> {
  // Without a prototype, so that a header called `constructor` is one like any other.
  const headers: Record<string, string> = Object.create(null);
  for (let index = 1; index < raw.length; index += 2) {
    const name = (raw[index - 1] ?? "").toLowerCase();
    const before = headers[name];
    headers[name] = before === undefined ? (raw[index] ?? "") : `${before}, ${raw[index]}`;
  }
  return headers;
}

/** A response with the URL of its request. */
export class FetchedResponse extends Response {
  readonly #url: string;

  constructor(body: ReadableStream<Uint8Array> | null, init: ResponseInit, url: string) {
    super(body, { ...init, headers: new Headers(init.headers) });
    this.#url = url;
  }

  override get url(): string {
    return this.#url;
  }

  override clone(): Response {
    const { status, statusText, headers } = this;
    const { body } = super.clone();
    return new FetchedResponse(body, { status, statusText, headers: Object.fromEntries(headers) }, this.#url);
  }
}

/**
 * A response for callers that read a `ByteSource`: its body becomes a stream, which costs more than all the rest, only
 * when a member asks for it. Native readers of a response (`Bun.write`) would find it empty, so no other caller gets one.
 */
export class PiecesResponse extends Response {
  readonly #pieces: ByteSource;
  readonly #init: ResponseInit;
  readonly #url: string;
  #whole: Response | undefined;

  /** `sent` are `init.headers` as a `Headers`, which is copied. */
  constructor(pieces: ByteSource, { sent, ...init }: ResponseInit & { readonly sent: Headers }, url: string) {
    super(null, { ...init, headers: sent });
    this.#pieces = pieces;
    this.#init = init;
    this.#url = url;
  }

  override get url(): string {
    return this.#url;
  }

  /** The byte source, until the body is read in another way. */
  get [PIECES](): ByteSource | undefined {
    return this.#whole ? undefined : this.#pieces;
  }

  override get body(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#real().body;
  }

  override get bodyUsed(): boolean {
    return this.#whole?.bodyUsed ?? false;
  }

  override arrayBuffer(): Promise<ArrayBuffer> {
    return this.#real().arrayBuffer();
  }

  override blob(): Promise<Blob> {
    return this.#real().blob();
  }

  override bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#real().bytes();
  }

  override clone(): Response {
    return this.#real().clone();
  }

  override formData(): Promise<FormData> {
    return this.#real().formData();
  }

  override json(): Promise<unknown> {
    return this.#real().json();
  }

  override text(): Promise<string> {
    return this.#real().text();
  }

  override textStream(): ReturnType<Response["textStream"]> {
    return this.#real().textStream();
  }

  #real(): Response {
    return (this.#whole ??= new FetchedResponse(streamOf(this.#pieces), this.#init, this.#url));
  }
}

/** The bytes as a stream. */
export function streamOf(pieces: ByteSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const piece = await pieces.next();
        // A socket's memory is never shared.
        if (piece) controller.enqueue(piece as Uint8Array<ArrayBuffer>);
        else controller.close();
      },
      cancel: () => pieces.cancel(),
    },
    { highWaterMark: 0 },
  );
  // Readers that get the stream alone, such as `sse`, avoid its cost, too.
  return Object.assign(stream, { [PIECES]: pieces });
}
