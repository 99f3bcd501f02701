/**
 * The emulated langfa.st service as a process: it answers each run as the order in its messages says.
 * `bun emulator.ts PORT SOCKET_PORT`.
 * @module
 */
import type { RunRecord, RunScript } from "../../support/langfast-emulator/index.ts";
import { startEmulator } from "../../support/langfast-emulator/index.ts";
import { orderIn, textOf } from "../order.ts";

const [port, socketPort] = process.argv.slice(2).map(Number);
const emulator = await startEmulator({
  port: port ?? 0,
  socketPort: socketPort ?? 0,
  script: { run: scriptOf, pieces: tokenByToken },
});
console.log(`listens on ${emulator.supabaseUrl}`);

function scriptOf(run: RunRecord): RunScript {
  const order = orderIn(Buffer.from(JSON.stringify(run.promptMeta)));
  if (!order) throw new Error("a run without an order");
  const usage = { prompt_tokens: 250, completion_tokens: order.tokens, total_tokens: 250 + order.tokens };
  return { answer: textOf(order), pace: order.interval, usage };
}

/** The service says the whole text so far in each event. */
function tokenByToken(text: string): readonly string[] {
  const ends = [...text.matchAll(/ [^ ]+/g)].map(({ index, 0: token }) => index + token.length);
  return ends.map((end) => text.slice(0, end));
}
