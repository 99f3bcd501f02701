import { expect, test } from "bun:test";
import { Heartbeat } from "./heartbeat.ts";

test("it beats in silence, again and again, and no more once it is disposed", async () => {
  const three = Promise.withResolvers<void>();
  let beats = 0;
  {
    using _ = new Heartbeat(5, {
      beat() {
        beats += 1;
        if (beats === 3) three.resolve();
      },
    });
    await three.promise;
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(beats).toBe(3);
});

test("what is noted puts the beat off", async () => {
  let beats = 0;
  using heart = new Heartbeat(200, { beat: () => void (beats += 1) });
  for (let i = 0; i < 40; i++) {
    heart.note();
    await new Promise((resolve) => setTimeout(resolve, 8));
  }
  expect(beats).toBe(0);
});
