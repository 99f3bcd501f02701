import type { CancelToken, Renewable } from "../cancel-token.ts";
import { ReusableDeferred } from "../reusable-deferred.ts";
import type { ByteSource } from "../byte-source.ts";
import type { AnswerHead } from "./llhttp.ts";

/** Bytes that wait for their reader before the socket is paused. */
const MAX_WAITING = 32 * 1024;

/** Bytes that a reader gets in one turn of the event loop, so that a fast answer can't starve the others. */
const MAX_A_TURN = 32 * 1024;

/** Time in which a server may end an answer whose rest is discarded, in ms. */
const REST_MS = 500;

/** Controls the connection of an exchange. */
export interface ConnectionControl {
  /** Stops reading from the socket. `isBehind` is true if the reader is slower than the server. */
  pause(isBehind: boolean): void;
  resume(): void;
  /** Closes the connection, since the rest of the answer is not wanted. */
  drop(): void;
  /** Has the exchange's `flush` called in the next turn of the event loop. */
  flushLater(exchange: Exchange): void;
}

/**
 * One request's answer, as the connection brings it and its reader takes it: first the head, then the body in
 * pieces. What arrives faster than it is read stops the reading from the socket.
 */
export class Exchange implements ByteSource, Renewable {
  readonly #line: ConnectionControl;
  #head: PromiseWithResolvers<AnswerHead> | undefined;
  #begun: AnswerHead | undefined;
  #pieces: Uint8Array[] = [];
  #waiting = 0;
  #isPaused = false;
  /** How many bytes the reader may still be given in this turn. */
  #room = MAX_A_TURN;
  /** Whether its `flush` will be called. */
  isQueued = false;
  readonly #later = new ReusableDeferred<Uint8Array | undefined>();
  #isAwaited = false;
  #isOver = false;
  #failure: unknown;
  /** Bytes behind those that were wanted; undefined: all are wanted. */
  #skipped: number | undefined;
  #drop: ReturnType<typeof setTimeout> | undefined;
  #cancelling: CancelToken | undefined;
  #isHeard = false;
  /** Runs while a connection that was used before is silent. */
  #silence: ReturnType<typeof setTimeout> | undefined;
  #askedAt = 0;

  constructor(line: ConnectionControl, cancelling: CancelToken | undefined) {
    this.#line = line;
    this.#cancelling = cancelling;
    cancelling?.listen(this.#cancelled);
  }

  /** Resolves with the head of the answer; rejects if none comes. To be asked for once, before it can come. */
  head(): Promise<AnswerHead> {
    this.#head = Promise.withResolvers();
    return this.#head.promise;
  }

  /**
   * Marks the connection as reused: the answer fails if its head has not arrived after `silenceMs`. Until the first byte
   * `renew` fails it earlier; it then `isUnheard`.
   */
  distrust(silenceMs: number): void {
    this.#askedAt = performance.now();
    this.#silence = setTimeout(breakOff, silenceMs, this);
    if (this.#cancelling) this.#cancelling.renewable = this;
  }

  /** True while no byte of an answer has arrived. */
  get isUnheard(): boolean {
    return !this.#isHeard;
  }

  /** For how many ms the connection has been distrusted. */
  get distrustedMs(): number {
    return performance.now() - this.#askedAt;
  }

  renew(): boolean {
    if (!this.#silence || this.#isOver || this.#isHeard) return false;
    this.breakOff();
    return true;
  }

  /** Fails the answer, because its connection fell silent. */
  breakOff(): void {
    const error = new Error("a connection that was used before fell silent");
    this.end(Object.assign(error, { code: "ECONNRESET" }));
    this.#line.drop();
    this.flush();
  }

  /** Called by the connection when bytes arrive. */
  heard(): void {
    this.#isHeard = true;
  }

  /** Called by the connection with any head, also of an interim answer. */
  trust(): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
  }

  /** True when the answer is complete or has failed. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Called by the connection with the head. `flush` follows. */
  begin(head: AnswerHead): void {
    this.#begun = head;
  }

  /** Called by the connection with a piece of the body. `flush` follows after the last one that arrived with it. */
  push(piece: Uint8Array): void {
    if (this.#skipped !== undefined) return this.#skip(piece);
    this.#pieces.push(piece);
    this.#waiting += piece.length;
    // At once: the socket would go on to be read for as long as there is something in it.
    if (this.#waiting > MAX_WAITING && !this.#isPaused) {
      this.#isPaused = true;
      this.#line.pause(!this.#isAwaited);
    }
  }

  /** Called by the connection once a turn: passes what has arrived to the pending read. */
  flush(): void {
    this.isQueued = false;
    this.#room = MAX_A_TURN;
    if (this.#head) this.#giveHead(this.#head);
    if (this.#isAwaited && (this.#waiting > 0 || this.#isOver)) {
      this.#isAwaited = false;
      if (this.#waiting > 0) this.#later.resolve(this.#take());
      else if (this.#failure === undefined) this.#later.resolve(undefined);
      else this.#later.reject(this.#failure);
    }
  }

  #giveHead({ resolve, reject }: PromiseWithResolvers<AnswerHead>): void {
    if (this.#begun) resolve(this.#begun);
    else if (this.#isOver) reject(this.#failure);
    else return;
    this.#head = undefined;
    this.#begun = undefined;
  }

  /**
   * Called by the connection when the answer is complete, or with a `failure` when it broke off. Does nothing after the
   * first call. `flush` follows.
   */
  end(failure?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    clearTimeout(this.#drop);
    this.trust();
    this.#cancelling?.forget(this.#cancelled);
    this.#cancelling = undefined;
  }

  next(): Uint8Array | undefined | ReusableDeferred<Uint8Array | undefined> {
    if (this.#waiting > 0) {
      if (this.#room > 0) return this.#take();
      this.#line.flushLater(this);
    } else if (this.#isOver) {
      if (this.#failure !== undefined) throw this.#failure as Error;
      return undefined;
    } else if (this.#isPaused) {
      this.#isPaused = false;
      this.#line.resume();
    }
    this.#isAwaited = true;
    return this.#later;
  }

  drain(): void {
    if (this.#isOver) return;
    this.#skipped = 0;
    this.#drop = setTimeout(() => this.cancel(), REST_MS);
    if (this.#isPaused) this.#line.resume();
  }

  cancel(): void {
    if (!this.#isOver) {
      this.end();
      this.#line.drop();
    }
    this.#pieces = [];
    this.#waiting = 0;
    this.flush();
  }

  #skip(piece: Uint8Array): void {
    this.#skipped = (this.#skipped ?? 0) + piece.length;
    if (this.#skipped > MAX_WAITING) this.cancel();
  }

  /** Returns the waiting bytes, as far as this turn allows. */
  #take(): Uint8Array | undefined {
    const pieces = this.#pieces;
    const length = Math.min(this.#waiting, this.#room);
    const whole = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, this.#waiting);
    this.#waiting -= length;
    this.#room -= length;
    this.#pieces = whole && this.#waiting > 0 ? [whole.subarray(length)] : [];
    return this.#waiting > 0 ? whole?.subarray(0, length) : whole;
  }

  readonly #cancelled = (): void => {
    const reason = this.#cancelling?.reason;
    this.end(reason);
    // Bytes that wait are not wanted any more either.
    this.#pieces = [];
    this.#waiting = 0;
    this.#line.drop();
    this.flush();
  };
}

function breakOff(exchange: Exchange): void {
  exchange.breakOff();
}
