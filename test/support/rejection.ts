import { expect } from "bun:test";

/** What a promise was rejected with; fails the test when it wasn't, or with another class. */
export async function rejection<T extends Error>(
  promise: Promise<unknown>,
  type: abstract new (...parameters: never[]) => T,
): Promise<T> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(type);
  return error as T;
}
