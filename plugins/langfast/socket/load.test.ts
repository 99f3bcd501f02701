import { expect, test } from "bun:test";
import { generatedText } from "../../../test/support/langfast-emulator/index.ts";
import { answerTo, asking, openLangfast } from "../../../test/support/langfast-upstream.ts";

const RUNS = 1_000;
const MAX = 4;

test(
  "a thousand runs at once over a few sockets are each whole and in order",
  async () => {
    await using langfast = await openLangfast({
      emulator: { script: { early: 2, answerDelay: 1 } },
      options: { credentials: { min: 1, max: MAX } },
    });
    const { emulator, upstream } = langfast;
    await answerTo(upstream, asking("which shows that runs are named"));
    const answers = await Promise.all(
      Array.from({ length: RUNS }, (_, seed) => answerTo(upstream, asking(`#gen ${seed} 300`))),
    );
    for (const [seed, { text, error, finish }] of answers.entries()) {
      expect(error).toBeUndefined();
      expect(text).toBe(generatedText(seed, 300));
      expect(finish?.reason).toBe("stop");
    }
    expect(emulator.socketsOpened).toBeLessThanOrEqual(MAX);
    expect(emulator.counts.signups).toBeLessThanOrEqual(MAX);
    expect(emulator.violations).toEqual([]);
  },
  { timeout: 30_000 },
);
