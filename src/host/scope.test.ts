import { expect, test } from "bun:test";
import { createLogger } from "../log.ts";
import { Scope, withTimeout } from "./scope.ts";

const log = createLogger({
  log: "json",
  level: "error",
  redact: () => "(the log line of a failed clean-up)",
});

test("clean-ups run once, the last first, and one that fails keeps none back", async () => {
  const ran: number[] = [];
  const scope = new Scope(log);
  scope.defer(() => void ran.push(1));
  scope.defer(() => {
    throw new Error("broken");
  });
  scope.defer(async () => {
    await Promise.resolve();
    ran.push(2);
  });
  await Promise.all([scope.close(), scope.close()]);
  expect(ran).toEqual([2, 1]);
});

test("what takes too long is an error", async () => {
  await expect(withTimeout(5, new Promise(() => undefined))).rejects.toThrow("longer than");
  expect(await withTimeout(1_000, "in time")).toBe("in time");
});
