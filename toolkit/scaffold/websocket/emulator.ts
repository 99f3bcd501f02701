/**
 * A stand-in for the upstream, to try the plugin with: `bun emulator.ts`. It repeats what it is told.
 * @module
 */
import { serve } from "./server.ts";
import type { Line, Question } from "./server.ts";

async function answer({ messages }: Question, { say, signal }: Line): Promise<void> {
  say({ ping: 1 });
  for (const text of `You said: ${messages.at(-1)?.content}`.split(/(?= )/)) {
    if (signal.aborted) return;
    say({ text });
    await Bun.sleep(50);
  }
  say({ end: "stop", tokens: { read: 5, written: 7 } });
}

const { url } = serve(Number(Bun.argv[2] ?? 9000), answer);
console.log(`the emulator listens on ${url}`);
