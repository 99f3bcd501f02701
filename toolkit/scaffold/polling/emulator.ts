/**
 * An emulator of the upstream, to try the plugin: `bun emulator.ts`. It repeats the last message.
 * @module
 */
import { serve } from "./server.ts";
import type { Job } from "./server.ts";

async function work({ question, shown, stopping }: Job): Promise<void> {
  for (const word of `You said: ${question.messages.at(-1)?.content}`.split(/(?= )/)) {
    if (stopping.signal.aborted) return;
    shown.text += word;
    await Bun.sleep(50);
  }
  Object.assign(shown, { state: "done", end: "stop", tokens: { read: 5, written: 7 } });
}

const { server } = serve(Number(Bun.argv[2] ?? 9000), { work });
console.log(`the emulator listens on ${server.url}`);
