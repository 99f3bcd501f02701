import { expect, test } from "bun:test";
import { watch } from "./watch.ts";

/** A source that yields one item, and then waits for ever. */
function stuck(): { source: AsyncIterator<number>; returned: () => number } {
  let returned = 0;
  let asked = 0;
  return {
    source: {
      next: () => (asked++ === 0 ? Promise.resolve({ done: false, value: 1 }) : new Promise(() => undefined)),
      return: () => {
        returned += 1;
        return new Promise(() => undefined);
      },
    },
    returned: () => returned,
  };
}

test("an abort ends the wait for a source that doesn't answer, and tells it to return once", async () => {
  const { source, returned } = stuck();
  const controller = new AbortController();
  const watched = watch(source, controller.signal);
  expect((await watched.next()).value).toBe(1);
  const waiting = watched.next();
  controller.abort(new Error("the client left"));
  await expect(waiting).rejects.toThrow("the client left");
  await expect(watched.next()).rejects.toThrow("the client left");
  await watched.return();
  expect(returned()).toBe(1);
});

test("an abort between two reads tells the source to return although nobody waits", () => {
  const { source, returned } = stuck();
  const controller = new AbortController();
  watch(source, controller.signal);
  controller.abort();
  expect(returned()).toBe(1);
});

test("an error that the source throws because it was aborted is replaced by the reason", async () => {
  const controller = new AbortController();
  async function* source(): AsyncGenerator<number> {
    controller.abort(new Error("deadline"));
    throw new Error("aborted, said the library");
  }
  await expect(watch(source(), controller.signal).next()).rejects.toThrow("deadline");
});

test("a source's own error and its end come through", async () => {
  async function* failing(): AsyncGenerator<number> {
    yield 1;
    throw new Error("broken");
  }
  const watched = watch(failing(), new AbortController().signal);
  await watched.next();
  await expect(watched.next()).rejects.toThrow("broken");
  const ending = watch(
    (async function* () {
      yield 1;
    })(),
    new AbortController().signal,
  );
  await ending.next();
  expect((await ending.next()).done).toBe(true);
  expect((await ending.next()).done).toBe(true);
});

test("time counts as waiting only while the source is asked", async () => {
  const { source } = stuck();
  const watched = watch(source, new AbortController().signal);
  expect(watched.waiting).toBe(0);
  await watched.next();
  expect(watched.waiting).toBe(0);
  void watched.next().catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(watched.waiting).toBeGreaterThan(0);
});

test("a source that throws at once, or gives no result, rejects like any other", async () => {
  const never = new AbortController().signal;
  const throwing = {
    next: () => {
      throw new Error("at once");
    },
  };
  await expect(watch(throwing, never).next()).rejects.toThrow("at once");
  const empty = { next: () => Promise.resolve(undefined as never) };
  await expect(watch<number>(empty, never).next()).rejects.toThrow(TypeError);
});

test("a source whose return throws, or is no promise, is left all the same", async () => {
  const throwing = {
    next: () => new Promise<never>(() => undefined),
    return: () => {
      throw new Error("in return");
    },
  };
  const controller = new AbortController();
  const waiting = watch(throwing, controller.signal).next();
  controller.abort(new Error("the client left"));
  await expect(waiting).rejects.toThrow("the client left");
  const plain = { ...throwing, return: () => ({ done: true }) as never };
  expect((await watch(plain, new AbortController().signal).return()).done).toBe(true);
});
