/**
 * An emulator of the upstream, to try the plugin: `bun emulator.ts`. It repeats the last message.
 * @module
 */
import { serve } from "./server.ts";
import type { Line, Question } from "./server.ts";

async function answer({ messages }: Question, { say, signal }: Line): Promise<void> {
  for (const text of `You said: ${messages.at(-1)?.content}`.split(/(?= )/)) {
    if (signal.aborted) return;
    say({ text });
    await Bun.sleep(50);
  }
  say({ end: "stop", tokens: { read: 5, written: 7 } });
}

const { url } = await serve(Number(Bun.argv[2] ?? 9000), { answer });
console.log(`the emulator listens on ${url}/`);
