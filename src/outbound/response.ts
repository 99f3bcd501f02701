import { RepeatedHeaders } from "../flow/repeated-headers.ts";
import type { Pieces } from "../kit/pieces.ts";
import { PIECES } from "../kit/pieces.ts";

interface ResponseInit {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Record<string, string>;
}

const HEADERS = new RepeatedHeaders();

/**
 * A response whose body becomes a stream only when somebody asks for one: that costs more than all the rest of it,
 * and whoever takes its pieces needs none. What takes a response natively (`Bun.write`) must be given its `body`.
 */
export class OutboundResponse extends Response {
  readonly #pieces: Pieces;
  readonly #init: ResponseInit;
  #whole: Response | undefined;

  constructor(pieces: Pieces, init: ResponseInit) {
    super(null, { ...init, headers: HEADERS.of(init.headers) });
    this.#pieces = pieces;
    this.#init = init;
  }

  /** The bytes, as long as nobody has asked for them in another way. */
  get [PIECES](): Pieces | undefined {
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
    return (this.#whole ??= new Response(streamOf(this.#pieces), this.#init));
  }
}

/** The bytes as a stream. */
export function streamOf(pieces: Pieces): ReadableStream<Uint8Array<ArrayBuffer>> {
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const piece = await pieces.next();
        // Memory of a socket's is never shared.
        if (piece) controller.enqueue(piece as Uint8Array<ArrayBuffer>);
        else controller.close();
      },
      cancel: () => pieces.leave(),
    },
    { highWaterMark: 0 },
  );
  // Who is given the stream alone, as `sse` is, needs not pay for it either.
  return Object.assign(stream, { [PIECES]: pieces });
}
