import type { Socket } from "bun";
import { ResponseReader } from "./response-reader.ts";
import type { ResponseSink } from "./response-reader.ts";

/** An answer that is being read. */
interface Reading {
  readonly reader: ResponseReader;
  readonly done: PromiseWithResolvers<void>;
}

/** A connection straight on a socket: one request after the other, as cheaply as can be. */
export class Connection {
  readonly #port: number;
  #socket: Socket | undefined;
  #reading: Reading | undefined;
  #unsent: Buffer | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  /** Sends a request and reads its answer. Rejects when the answer breaks off or the sink throws. */
  async ask(request: Buffer, sink: ResponseSink): Promise<void> {
    this.#socket ??= await this.#connect();
    const done = Promise.withResolvers<void>();
    this.#reading = { reader: new ResponseReader(sink), done };
    this.#send(request);
    return done.promise;
  }

  /** Leaves, in mid-answer too; `ask` then rejects. */
  close(): void {
    this.#socket?.terminate();
    this.#closed("left");
  }

  #connect(): Promise<Socket> {
    return Bun.connect({
      hostname: "127.0.0.1",
      port: this.#port,
      socket: {
        data: (socket, piece) => void (socket === this.#socket && this.#take(piece)),
        drain: () => this.#unsent && this.#send(this.#unsent),
        // One that was left may end only when its successor is already in use.
        close: (socket) => void (socket === this.#socket && this.#closed("the connection was closed")),
        error: (socket, error) => void (socket === this.#socket && this.#closed(error.message)),
      },
    });
  }

  #send(request: Buffer): void {
    const written = Math.max(this.#socket?.write(request) ?? 0, 0);
    this.#unsent = written < request.length ? request.subarray(written) : undefined;
  }

  #take(piece: Buffer): void {
    const reading = this.#reading;
    if (!reading) return;
    try {
      reading.reader.take(piece.toString("latin1"));
    } catch (error) {
      this.#socket?.terminate();
      this.#closed(error instanceof Error ? error.message : String(error));
      return;
    }
    if (!reading.reader.isDone) return;
    this.#reading = undefined;
    if (!reading.reader.keepsAlive) this.close();
    reading.done.resolve();
  }

  #closed(why: string): void {
    this.#socket = undefined;
    this.#unsent = undefined;
    this.#reading?.done.reject(new Error(why));
    this.#reading = undefined;
  }
}
