import type { Exchange } from "../support/fault-upstream.ts";

/** Who hasn't taken a chunk for as long as this, in ms, isn't going to. */
const PATIENCE = 50;

/** Sends a chunk again and again until nobody takes it any more; gives their number. */
export async function pourUntilStalled(exchange: Exchange, chunk: string): Promise<number> {
  for (let sent = 1; ; sent++) {
    exchange.chunk(chunk);
    const isStalled = await Promise.race([
      exchange.flushed().then(() => false),
      Bun.sleep(PATIENCE).then(() => true),
    ]);
    if (isStalled) return sent;
  }
}
