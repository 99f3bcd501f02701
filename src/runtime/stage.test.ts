import { expect, test } from "bun:test";
import { rejection } from "../../test/support/rejection.ts";
import { isPending, ReusableDeferred } from "./reusable-deferred.ts";
import { Stage } from "./stage.ts";

type Input = number | PromiseLike<number>;

/** Doubles numbers. Those below zero show nothing, 100 comes later, 666 can't be doubled, and failures become −1. */
class Doubling extends Stage<number, number> {
  readonly #inputs: (Input | Error)[];

  constructor(inputs: readonly (Input | Error)[]) {
    super();
    this.#inputs = [...inputs];
  }

  leave(output: number): void {
    this.resolve(output);
  }

  protected override read(): Input {
    const input = this.#inputs.shift() ?? new Error("nothing is left");
    if (input instanceof Error) throw input;
    return input;
  }

  protected override map(input: number): number | Promise<number> | undefined {
    if (input === 666) throw new Error("this can't be doubled");
    if (input === 100) return Promise.resolve(200);
    return input < 0 ? undefined : 2 * input;
  }

  protected override fail(error: unknown): number | undefined {
    if (error instanceof TypeError) throw error;
    return -1;
  }
}

test("what is there is given at once, and what shows nothing is passed over", () => {
  expect(new Doubling([-5, -5, 4]).next()).toBe(8);
});

test("a failure at once is replaced, or thrown", () => {
  expect(new Doubling([new Error("x")]).next()).toBe(-1);
  expect(() => new Doubling([new TypeError("x")]).next()).toThrow("x");
  expect(() => new Doubling([666]).next()).toThrow("can't be doubled");
});

test("an output may be a promise, whether its input was there or not", async () => {
  expect(await new Doubling([100]).next()).toBe(200);
  expect(await new Doubling([Promise.resolve(100)]).next()).toBe(200);
});

test.each([
  ["an output", (): Input => Promise.resolve(4), 8],
  ["a failure that is replaced", (): Input => Promise.reject(new Error("x")), -1],
] as const)("%s comes by the value that was given for the wait", async (_, input, output) => {
  const stage = new Doubling([Promise.resolve(-1), input(), 5]);
  const next = stage.next();
  expect(next).toBeInstanceOf(ReusableDeferred);
  expect(await next).toBe(output);
  expect(stage.next()).toBe(10);
});

test.each([
  ["the source's failure", (): Input => Promise.reject(new TypeError("x")), "x"],
  ["a failure of its own", (): Input => Promise.resolve(666), "can't be doubled"],
] as const)("%s rejects the wait", async (_, input, message) => {
  const next = new Doubling([input()]).next();
  const error = await rejection(Promise.resolve(next), Error);
  expect(error.message).toContain(message);
});

test("a wait that was ended takes nothing that the source gives later", async () => {
  const source = new ReusableDeferred<number>();
  const stage = new Doubling([source, source]);
  const next = stage.next();
  stage.leave(3);
  source.resolve(4);
  expect(await next).toBe(3);
  const other = stage.next();
  expect(isPending(other)).toBe(true);
  source.resolve(5);
  expect(await other).toBe(10);
});

test("nothing is ended where nobody waits", () => {
  const stage = new Doubling([1]);
  stage.leave(3);
  expect(stage.next()).toBe(2);
});
