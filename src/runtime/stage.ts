import type { Continuation } from "./reusable-deferred.ts";
import { isPending, ReusableDeferred, subscribeOnce } from "./reusable-deferred.ts";

/**
 * One stage of a stream: reads inputs from a source and gives outputs, at once where they are there, and else through
 * one deferred value that all its reads share. Only one read may be pending.
 *
 * The plain way is an async generator, which costs several promises an event.
 */
export abstract class Stage<In, Out> implements Continuation<In> {
  readonly #output = new ReusableDeferred<Out>();
  #isAwaited = false;

  /** Returns the source's next input, at once or as a promise. */
  protected abstract read(): In | PromiseLike<In>;

  /** Returns the output for an input; undefined reads on. What it throws is what `next` fails with. */
  protected abstract map(input: In): Out | Promise<Out> | undefined;

  /** Returns the output in place of a failure of the source; undefined reads on. What it throws is what `next` fails with. */
  protected fail(error: unknown): Out | undefined {
    throw error;
  }

  /** Called before a wait for the source. */
  protected onWait(): void {}

  /** Returns the next output, or resolves to it. Throws or rejects when the stage fails. */
  next(): Out | Promise<Out> | ReusableDeferred<Out> {
    for (;;) {
      let output: Out | Promise<Out> | undefined;
      let input: In | PromiseLike<In>;
      try {
        input = this.read();
      } catch (error) {
        output = this.fail(error);
        if (output === undefined) continue;
        return output;
      }
      if (isPending(input)) return this.#wait(input);
      output = this.map(input);
      if (output !== undefined) return output;
    }
  }

  #wait(input: PromiseLike<In>): ReusableDeferred<Out> {
    this.onWait();
    this.#isAwaited = true;
    subscribeOnce(input, this);
    return this.#output;
  }

  /** Called with the source's next input. */
  onValue(input: In): void {
    if (!this.#isAwaited) return;
    try {
      this.#give(this.map(input) ?? this.next());
    } catch (error) {
      this.reject(error);
    }
  }

  /** Called when the source fails. */
  onError(error: unknown): void {
    if (!this.#isAwaited) return;
    try {
      this.#give(this.fail(error) ?? this.next());
    } catch (failure) {
      this.reject(failure);
    }
  }

  #give(output: Out | Promise<Out> | ReusableDeferred<Out>): void {
    // The same wait goes on.
    if (output instanceof ReusableDeferred) return;
    if (output instanceof Promise)
      output.then(
        (value) => this.resolve(value),
        (error: unknown) => this.reject(error),
      );
    else this.resolve(output);
  }

  /** True while a read is pending. */
  protected get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** Ends a pending read with an output. Does nothing without one; what the source gives to it later is dropped. */
  protected resolve(output: Out): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#output.resolve(output);
  }

  /** Ends a pending read with an error. */
  protected reject(error: unknown): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#output.reject(error);
  }
}
