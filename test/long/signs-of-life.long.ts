import { describe, expect, test } from "bun:test";
import type { Exchange, FaultUpstream } from "../support/fault-upstream.ts";
import { startFaultUpstream } from "../support/fault-upstream.ts";
import { tries } from "../support/forward-gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { readFrames, textOf } from "../support/sse-frames.ts";

/**
 * Which deadline an answer has depends on how the upstream answers; what it sends to keep the answer alive counts.
 * @module
 */
const PING_MS = 60;
const DEADLINE = "300ms";
/** Longer than the deadline, together. */
const PINGS = 8;

interface Dialect {
  readonly plugin: string;
  readonly ping: string;
  /** What comes before the first event that commits, within the answer, and at its end. */
  readonly opening: string;
  readonly said: string;
  readonly ending: string;
  /** The whole of a plain answer. */
  readonly plain: object;
}

const frame = (data: object, event = ""): string =>
  `${event && `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;

const SPENT = { prompt_tokens: 1, completion_tokens: 1 };

const DIALECTS: readonly Dialect[] = [
  {
    plugin: "openai",
    ping: ": keep-alive\n\n",
    opening: ": waiting\n\n",
    said: frame({ choices: [{ index: 0, delta: { content: "Well" } }] }),
    ending: `${frame({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage: SPENT })}data: [DONE]\n\n`,
    plain: {
      choices: [{ index: 0, message: { role: "assistant", content: "Well" }, finish_reason: "stop" }],
      usage: SPENT,
    },
  },
  {
    plugin: "anthropic",
    ping: frame({ type: "ping" }, "ping"),
    opening: frame({ type: "message_start", message: { usage: { input_tokens: 1 } } }, "message_start"),
    said:
      frame(
        { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
        "content_block_start",
      ) +
      frame(
        { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Well" } },
        "content_block_delta",
      ),
    ending:
      frame({ type: "content_block_stop", index: 0 }, "content_block_stop") +
      frame(
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 1 } },
        "message_delta",
      ) +
      frame({ type: "message_stop" }, "message_stop"),
    plain: {
      type: "message",
      content: [{ type: "text", text: "Well" }],
      stop_reason: "end_turn",
      usage: { input_tokens: 1, output_tokens: 1 },
    },
  },
  {
    plugin: "gemini",
    ping: ": ping\n\n",
    opening: frame({ usageMetadata: { promptTokenCount: 1 } }),
    said: frame({ candidates: [{ index: 0, content: { parts: [{ text: "Well" }] } }] }),
    ending: frame({ candidates: [{ index: 0, finishReason: "STOP", content: { parts: [] } }] }),
    plain: { candidates: [{ index: 0, content: { parts: [{ text: "Well" }] }, finishReason: "STOP" }] },
  },
];

function start(plugin: string, url: string, timeouts: object): Promise<RunningGateway> {
  const options = { base_url: `${url}/v1`, api_key: "sk-upstream-0123456789", models: ["m"] };
  return startGateway(`${tries(1)}upstreams: { a: ${JSON.stringify({ plugin, options, timeouts })} }\n`);
}

function ask(gateway: RunningGateway, stream: boolean): Promise<Response> {
  const body = { model: "m", stream, max_tokens: 10, messages: [{ role: "user", content: "Well?" }] };
  return gateway.chat(body);
}

async function pings(exchange: Exchange, ping: string): Promise<void> {
  for (let time = 0; time < PINGS; time++) {
    await Bun.sleep(PING_MS);
    exchange.chunk(ping);
  }
}

/** Pings before the first word, and as many after it. */
function playWithPings(upstream: FaultUpstream, { ping, opening, said, ending }: Dialect): void {
  upstream.respond = async (exchange) => {
    exchange.head(200, { "content-type": "text/event-stream" });
    exchange.chunk(opening);
    await pings(exchange, ping);
    exchange.chunk(said);
    await pings(exchange, ping);
    exchange.chunk(ending);
    exchange.end();
  };
}

describe.each(DIALECTS)("an answer that $plugin keeps alive", (dialect) => {
  test("outlasts first_event and idle", async () => {
    await using upstream = await startFaultUpstream();
    playWithPings(upstream, dialect);
    await using gateway = await start(dialect.plugin, upstream.url, {
      first_event: DEADLINE,
      idle: DEADLINE,
    });
    const response = await ask(gateway, true);
    expect(response.status).toBe(200);
    const frames = await readFrames(response);
    expect(textOf(frames)).toBe("Well");
    expect(frames.data.at(-1)).toBe("[DONE]");
  });

  test("ends at total all the same", async () => {
    await using upstream = await startFaultUpstream();
    playWithPings(upstream, dialect);
    const timeouts = { first_event: "10s", idle: "10s", total: DEADLINE };
    await using gateway = await start(dialect.plugin, upstream.url, timeouts);
    const response = await ask(gateway, true);
    expect(response.status).toBe(504);
    expect(await response.text()).toContain("(timeouts.total)");
  });
});

describe.each(DIALECTS)("a plain answer of $plugin in one piece", ({ plugin, plain }) => {
  const body = JSON.stringify(plain);
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;

  test("has `idle` once its body has begun", async () => {
    await using upstream = await startFaultUpstream();
    upstream.respond = (exchange) => {
      exchange.send(head + body.slice(0, 20));
    };
    await using gateway = await start(plugin, upstream.url, { idle: DEADLINE, total: "20s" });
    const response = await ask(gateway, false);
    expect(response.status).toBe(504);
    expect(await response.text()).toContain("(timeouts.idle)");
  });

  test("may take its time before, and come slowly", async () => {
    await using upstream = await startFaultUpstream();
    upstream.respond = async (exchange) => {
      exchange.send(head);
      await Bun.sleep(2 * PINGS * PING_MS);
      const length = Math.ceil(body.length / PINGS);
      for (let at = 0; at < body.length; at += length) {
        exchange.send(body.slice(at, at + length));
        await Bun.sleep(PING_MS);
      }
    };
    await using gateway = await start(plugin, upstream.url, { first_event: DEADLINE, idle: DEADLINE });
    const response = await ask(gateway, false);
    expect(await response.text()).toContain("Well");
    expect(response.status).toBe(200);
  });
});

test("an upstream that has said all is not waited for because it sends pings", async () => {
  const [{ ping, said, ending }] = DIALECTS as [Dialect];
  await using upstream = await startFaultUpstream();
  let open = true;
  upstream.respond = async (exchange) => {
    void exchange.closed.then(() => (open = false));
    exchange.head(200, { "content-type": "text/event-stream" });
    exchange.chunk(said + ending.replace("data: [DONE]\n\n", ""));
    while (open) {
      exchange.chunk(ping);
      await Bun.sleep(PING_MS);
    }
  };
  await using gateway = await start("openai", upstream.url, { idle: DEADLINE, total: "20s" });
  const frames = await readFrames(await ask(gateway, true));
  expect(textOf(frames)).toBe("Well");
  expect(frames.data.at(-1)).toBe("[DONE]");
  await until(() => !open, "the upstream to be left");
});

test("a plain request has `idle` where the answer shows by its first event that it comes event by event", async () => {
  const [{ opening, said }] = DIALECTS as [Dialect];
  await using upstream = await startFaultUpstream();
  upstream.respond = (exchange) => {
    exchange.head(200, { "content-type": "text/event-stream" });
    exchange.chunk(opening + said);
  };
  await using gateway = await start("openai", upstream.url, { idle: DEADLINE, total: "20s" });
  const response = await ask(gateway, false);
  expect(response.status).toBe(504);
  expect(await response.text()).toContain("(timeouts.idle)");
});

/** A plugin that pushes its events whatever was asked for; its models say where it falls silent. */
const PUSHING = `
import { Channel } from "modelyard/kit";
import { definePlugin, Type } from "modelyard/plugin";
export default definePlugin({
  apiVersion: 1,
  name: "pushing",
  options: Type.Object({}, { additionalProperties: false }),
  open: () => ({
    alwaysStreams: true,
    models: async () => [{ id: "silent" }, { id: "stalls" }, { id: "pings" }, { id: "counts" }],
    async *chat({ model }, call) {
      using silence = new Channel({ maxItems: 1, signal: call.signal });
      if (model === "stalls") yield { type: "text", text: "Well" };
      for (let time = 0; model === "pings" && time < ${PINGS}; time++) {
        await Bun.sleep(${PING_MS});
        call.alive();
      }
      for (let time = 0; model === "counts" && time < ${PINGS}; time++) {
        await Bun.sleep(${PING_MS});
        yield { type: "usage", usage: { input: 1 } };
      }
      if (model === "pings" || model === "counts") yield { type: "text", text: "Well" };
      else for await (const _ of silence);
      yield { type: "finish", reason: "stop" };
    },
  }),
});
`;

describe.each([true, false])("an upstream that always answers event by event (streamed: %p)", (stream) => {
  const timeouts = { first_event: DEADLINE, idle: DEADLINE, total: "20s" };

  async function answerOf(model: string): Promise<string> {
    await using gateway = await startGateway(
      `${tries(1)}upstreams: { a: ${JSON.stringify({ plugin: "./pushing.ts", timeouts })} }\n`,
      { files: { "pushing.ts": PUSHING } },
    );
    const body = { model, stream, messages: [{ role: "user", content: "Well?" }] };
    return await (await gateway.chat(body)).text();
  }

  test("has first_event", async () => {
    expect(await answerOf("silent")).toContain("(timeouts.first_event)");
  });

  test("has idle", async () => {
    expect(await answerOf("stalls")).toContain("(timeouts.idle)");
  });

  test("is kept alive by call.alive()", async () => {
    expect(await answerOf("pings")).toContain("Well");
  });

  test("is kept alive by events before the first word", async () => {
    expect(await answerOf("counts")).toContain("Well");
  });
});
