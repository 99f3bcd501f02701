import { afterEach, beforeEach, expect, test } from "bun:test";
import { jsonAnswer, openaiCompletion, startFaultUpstream } from "../../test/support/fault-upstream.ts";
import type { Exchange, FaultUpstream } from "../../test/support/fault-upstream.ts";
import { startGateway } from "../../test/support/gateway.ts";
import type { RunningGateway } from "../../test/support/gateway.ts";

/**
 * Keys behind a whole gateway: what its clients see.
 * @module
 */
const REQUEST = { model: "m", messages: [{ role: "user", content: "Hi" }] };

let server: FaultUpstream;
beforeEach(async () => {
  server = await startFaultUpstream();
});
afterEach(() => server[Symbol.asyncDispose]());

function gatewayWith(options: string): Promise<RunningGateway> {
  return startGateway(
    `upstreams: { it: { plugin: openai, options: { base_url: "${server.url}", models: [m], ${options} } } }\n`,
  );
}

function slowDown(exchange: Exchange): void {
  exchange.send(
    jsonAnswer({ error: { message: "slow down", code: "rate_limit_exceeded" } }, 429, {
      "retry-after": "30",
    }),
  );
}

const keyOf = ({ headers }: Exchange): string | null => headers.get("authorization");

test("a request whose key is at its limit or refused goes on with another, and the client notices nothing", async () => {
  server.respond = (exchange) => {
    if (keyOf(exchange) === "Bearer key-a") return slowDown(exchange);
    if (keyOf(exchange) === "Bearer key-b")
      return exchange.send(jsonAnswer({ error: { message: "no" } }, 401));
    return exchange.send(jsonAnswer(openaiCompletion("Hello")));
  };
  await using gateway = await gatewayWith("api_keys: [{ key: key-a }, { key: key-b }, { key: key-c }]");
  const statuses: number[] = [];
  for (let time = 0; time < 4; time++) statuses.push((await gateway.chat(REQUEST)).status);
  expect(statuses).toEqual([200, 200, 200, 200]);
  const counts = Object.groupBy(server.requests, (exchange) => keyOf(exchange) ?? "");
  expect([counts["Bearer key-a"]?.length, counts["Bearer key-b"]?.length]).toEqual([1, 1]);
});

test.each(["api_key: key-a", "api_keys: [{ key: key-a }, { key: key-b }]"])(
  "when no key is left (%s) the client gets the server's 429 with its retry-after, now and until then",
  async (keys) => {
    server.respond = slowDown;
    await using gateway = await gatewayWith(keys);
    for (let time = 0; time < 3; time++) {
      const response = await gateway.chat(REQUEST);
      expect(response.status).toBe(429);
      expect(Number(response.headers.get("retry-after"))).toBeWithin(28, 31);
      expect(await response.json()).toMatchObject({ error: { code: "rate_limit_exceeded" } });
    }
    // One that rests is asked all the same where no other target is left; of several, none that rests is lent.
    const asked = server.requests.map(keyOf);
    expect(asked.length).toBe(keys.startsWith("api_keys") ? new Set(asked).size : 3);
  },
);

test("a key that the server's error repeats is not repeated to the client", async () => {
  server.respond = (exchange) =>
    exchange.send(jsonAnswer({ error: { message: "Incorrect API key provided: sk-very-secret" } }, 401));
  await using gateway = await gatewayWith("api_key: sk-very-secret");
  const response = await gateway.chat(REQUEST);
  expect(response.status).toBe(503);
  expect(await response.text()).not.toContain("sk-very-secret");
});

test("a request in which nothing changes is passed on as its client wrote it, another is written anew", async () => {
  const bodies: string[] = [];
  server.respond = (exchange) => {
    bodies.push(new TextDecoder().decode(exchange.body));
    if (bodies.length === 1) return exchange.send(jsonAnswer({ error: { message: "later" } }, 500));
    return exchange.send(jsonAnswer(openaiCompletion("Hello")));
  };
  await using gateway = await startGateway(
    `upstreams: { it: { plugin: openai, options: { base_url: "${server.url}", models: [m] } } }
routes: [{ model: alias, targets: [{ upstream: it, model: m }] }]
`,
  );
  const body = (model: string) =>
    `{ "model": "${model}",\n  "temperature": 1.0, "messages": [{"role":"user","content":"H\\u00e9"}] }`;
  const plain = body("m").replace("\\u00e9", "é");
  // Also at the second try.
  expect((await gateway.chat({}, { body: plain })).status).toBe(200);
  expect(bodies).toEqual([plain, plain]);
  for (const other of [body("alias"), plain.replace("] }", '], "stream": true }')]) {
    expect((await gateway.chat({}, { body: other })).status).toBe(200);
    expect(bodies.at(-1)).not.toBe(other);
  }
  expect(JSON.parse(bodies.at(-2) ?? "")).toEqual({
    model: "m",
    temperature: 1,
    messages: [{ role: "user", content: "Hé" }],
  });
});

test.each(["m", "it/m"])(
  "what was asked of %s reaches the server in the client's own words, long numbers too",
  async (model) => {
    server.respond = (exchange) => exchange.send(jsonAnswer(openaiCompletion("Hello")));
    await using gateway = await gatewayWith("api_key: key-a");
    const words = (name: string) =>
      `{ "seed": 9007199254740993, "model": "${name}", "x": 1.10, "messages": [{ "role": "user", "content": "Hé" }] }`;
    const response = await gateway.chat({}, { body: words(model) });
    expect(response.status).toBe(200);
    const sent = new TextDecoder().decode(server.requests.at(-1)?.body);
    // Where the name changes, nothing else does.
    expect(sent.replace('"model":"m"', '"model": "m"')).toBe(words("m"));
  },
);
