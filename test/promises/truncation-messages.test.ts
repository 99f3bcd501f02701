import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { playTo, startFaultUpstream } from "../support/fault-upstream.ts";
import type { FaultUpstream } from "../support/fault-upstream.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { everyUnits } from "../support/langfast-emulator/index.ts";
import { startLangfast } from "../support/langfast-gateway.ts";
import {
  eventEnds,
  flawOf,
  RECORDED_ANSWERS,
  startMessageGateway,
  streamOf,
} from "../support/dialects/message-upstreams.ts";

/**
 * An answer that broke off behind any of its events is never sold as a whole one to a client of the Messages API, whatever
 * the upstream speaks. Behind every byte: test/long/truncation-messages.long.ts.
 * @module
 */

let upstream: FaultUpstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startFaultUpstream();
  gateway = await startMessageGateway(upstream);
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

describe.each(RECORDED_ANSWERS.map((answer) => [answer.name, answer] as const))("%s", (_, answer) => {
  const { wire, model, complete } = answer;

  test("is whole where all of it came", async () => {
    upstream.respond = (exchange) => playTo(exchange, wire, wire.length, "close");
    const verdict = await streamOf(gateway, model);
    expect(verdict).toMatchObject({ end: "stop", faults: [] });
    expect(flawOf(verdict, wire.length, answer)).toBe("");
  });

  test("fails where it is cut behind an event", async () => {
    const flaws: string[] = [];
    for (const at of eventEnds(answer)) {
      upstream.respond = (exchange) => playTo(exchange, wire, at, "close");
      const flaw = flawOf(await streamOf(gateway, model), at, answer);
      if (flaw !== "") flaws.push(`at ${at} of ${wire.length}: ${flaw}`);
    }
    expect(flaws).toEqual([]);
  });

  test("throws for the official client, by each of its ways, where it is cut in the middle", async () => {
    const at = eventEnds(answer).findLast((end) => end < complete) ?? 0;
    upstream.respond = (exchange) => playTo(exchange, wire, at, "close");
    const client = new Anthropic({ baseURL: gateway.url, apiKey: gateway.key, maxRetries: 0 });
    const request = { model, max_tokens: 1000, messages: [{ role: "user" as const, content: "Hi" }] };
    const raw = async () => {
      for await (const _event of await client.messages.create({ ...request, stream: true }));
    };
    expect(await raw().catch((error: unknown) => error)).toBeInstanceOf(Anthropic.APIError);
    const final = client.messages.stream(request).finalMessage();
    expect(await final.catch((error: unknown) => error)).toBeInstanceOf(Anthropic.APIError);
  });
});

test("a run of langfast's is whole, or fails", async () => {
  await using langfast = await startLangfast({ timeouts: "{ first_event: 1s, idle: 150ms }" });
  const { emulator, gateway: own } = langfast;
  const ask = (stream: boolean) =>
    fetch(`${own.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": own.key, "content-type": "application/json" },
      body: JSON.stringify({
        model: "gpt-4o-mini",
        max_tokens: 50,
        stream,
        messages: [{ role: "user", content: "Zoë sagt 👋🏽 und geht" }],
      }),
    });
  const whole = (await (await ask(false)).json()) as Anthropic.Message;
  expect(whole).toMatchObject({ stop_reason: "end_turn", content: [{ type: "text" }] });
  emulator.script = { end: "both", pieces: everyUnits(4), fault: { how: "drop", after: 5 } };
  const broken = await (await ask(true)).text();
  expect(broken).toMatch(/event: error\n.+\n\n$/);
  expect(broken).not.toContain("message_stop");
});
