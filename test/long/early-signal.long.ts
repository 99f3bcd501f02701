import { expect, test } from "bun:test";
import { startMain } from "../support/gateway-process.ts";
import { CONFIGURED, folderWith } from "../support/process-settings.ts";
import { HELLO } from "../support/scripted-gateway.ts";

/** About one in ten came too early when the signals were handled only after the banner. */
const ROUNDS = 40;

test("a gateway that is ended as soon as it says that it listens closes everything", async () => {
  const codes: (number | null)[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    using folder = folderWith({ hello: HELLO });
    await using gateway = startMain(folder, CONFIGURED);
    await gateway.listening();
    gateway.signal("SIGTERM");
    codes.push((await gateway.ended()).code);
  }
  expect(codes).toEqual(Array<number>(ROUNDS).fill(0));
}, 120_000);
