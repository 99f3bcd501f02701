import { afterAll } from "bun:test";

/**
 * Loaded before the tests: an unhandled rejection anywhere is a failure, even when it comes after the test
 * that caused it.
 */
const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));

afterAll(() => {
  if (unhandled.length > 0) throw new AggregateError(unhandled, "unhandled rejections");
});
