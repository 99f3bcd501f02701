import { expect, test } from "bun:test";
import type { Break } from "../support/fault-upstream.ts";
import { playTo, startFaultUpstream } from "../support/fault-upstream.ts";
import {
  flawOf,
  RECORDED_ANSWERS,
  startMessageGateway,
  streamOf,
} from "../support/dialects/message-upstreams.ts";

/**
 * A stream of another API that broke off behind any of its bytes is never sold as a whole one to a client of the Messages
 * API. Streams of its own API: test/long/messages-truncation.long.ts.
 * @module
 */

const WAYS: readonly Break[] = ["close", "reset", "garbage"];

const TRANSLATED = RECORDED_ANSWERS.filter(({ model }) => !model.startsWith("claude/"));

test.each(TRANSLATED.map((answer) => [answer.name, answer] as const))(
  "%s, cut at every byte",
  async (_, answer) => {
    const { wire, model } = answer;
    await using upstream = await startFaultUpstream();
    await using gateway = await startMessageGateway(upstream);
    const flaws: string[] = [];
    let cuts = 0;
    for (const how of WAYS) {
      for (let at = 1; at <= wire.length; at++) {
        cuts += 1;
        upstream.respond = (exchange) => playTo(exchange, wire, at, how);
        // A reset may take along what its reader hasn't read.
        const flaw = flawOf(await streamOf(gateway, model), at, answer);
        if (flaw !== "" && !(how !== "close" && flaw.startsWith("lost")))
          flaws.push(`${how} at ${at}: ${flaw}`);
      }
    }
    console.log(`${answer.name}: ${cuts} cuts, ${flaws.length} flaws`);
    expect(flaws).toEqual([]);
    expect(gateway.gateway.inFlight.running).toBe(0);
  },
  120_000,
);
