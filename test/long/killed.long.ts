import { test } from "bun:test";
import { expectNothingLost } from "../support/kill-rounds.ts";
import { Random } from "../support/random.ts";

test("20 rounds of kill -9 under load lose nothing that a client was told", async () => {
  const seed = Date.now() % 1_000_000;
  console.log(`kill -9: seed ${seed}`);
  await expectNothingLost(20, new Random(seed));
}, 300_000);
