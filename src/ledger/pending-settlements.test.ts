import { expect, test } from "bun:test";
import type { GatewayLogger } from "../log.ts";
import { createLogger } from "../log.ts";
import { Bookings } from "./pending-settlements.ts";

const quiet: GatewayLogger = createLogger({ log: "json", level: "error", redact: () => "" });

test("whoever shuts down waits for all bookings, and one that fails brings nothing down", async () => {
  const bookings = new Bookings(quiet);
  const counted = Promise.withResolvers<void>();
  let booked = false;
  bookings.add(counted.promise.then(() => void (booked = true)));
  bookings.add(Promise.reject(new Error("a bug")));
  expect(bookings.pending).toBe(2);
  const settled = bookings.settled();
  counted.resolve();
  await settled;
  expect([booked, bookings.pending]).toEqual([true, 0]);
});
