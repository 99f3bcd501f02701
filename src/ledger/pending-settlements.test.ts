import { expect, test } from "bun:test";
import type { GatewayLogger } from "../log.ts";
import { createLogger } from "../log.ts";
import { PendingSettlements } from "./pending-settlements.ts";

const quiet: GatewayLogger = createLogger({ log: "json", level: "error", redact: () => "" });

test("whoever shuts down waits for all settlements, and one that fails brings nothing down", async () => {
  const settlements = new PendingSettlements(quiet);
  const counted = Promise.withResolvers<void>();
  let booked = false;
  settlements.add(counted.promise.then(() => void (booked = true)));
  settlements.add(Promise.reject(new Error("a bug")));
  expect(settlements.pending).toBe(2);
  const settled = settlements.settled();
  counted.resolve();
  await settled;
  expect([booked, settlements.pending]).toEqual([true, 0]);
});
