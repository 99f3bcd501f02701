import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { flushLog } from "../../src/log.ts";
import { tries } from "../support/forward-gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { startGateway, TEST_KEY } from "../support/gateway.ts";
import { parseFrames, readFrames, textOf } from "../support/sse-frames.ts";
import { until } from "../support/until.ts";

/**
 * A plugin with bad habits harms nobody but its own answers: nothing hangs, nothing crashes, nothing that it
 * shouldn't have said gets out.
 * @module
 */
const ODD = join(import.meta.dir, "..", "support", "plugins", "odd.ts");
// What JSON escapes must be found in a log line, too.
const TOKEN = `tok"en\\with-ümlaut`;

let gateway: RunningGateway;
let log = "";
const stderr = spyOn(process.stderr, "write");

beforeAll(async () => {
  stderr.mockImplementation((text) => {
    log += String(text);
    return true;
  });
  gateway = await startGateway(`${tries(1)}telemetry: { level: debug }
upstreams:
  odd:
    plugin: ${JSON.stringify(ODD)}
    timeouts: { first_event: 200ms, idle: 200ms, total: 600ms }
    options: { token: ${JSON.stringify(TOKEN)} }
`);
});

afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  stderr.mockRestore();
});

function ask(model: string, stream: boolean): Promise<Response> {
  return gateway.chat({ model, stream, messages: [{ role: "user", content: "Hi" }] });
}

async function errorIn(response: Response) {
  return ((await response.json()) as { error: { code: string; message: string } }).error;
}

describe.each([true, false])("streamed: %p;", (stream) => {
  test.each([
    "throws-at-once",
    "throws-a-string",
    "throws-nothing",
    "throws-an-unknown-code",
    "throws-before",
    "gives-nothing",
    "gives-no-stream",
    "has-an-empty-next",
    "has-a-throwing-next",
    "gives-no-event",
    "gives-an-unknown-event",
  ])("a plugin that %s is a 502 that names it and says nothing of its internals", async (model) => {
    const response = await ask(model, stream);
    const { code, message } = await errorIn(response);
    expect([response.status, code]).toEqual([502, "upstream_bad_response"]);
    expect(message).toContain(`the plugin "odd" of upstream "odd" failed`);
    expect(message).not.toContain("internals");
  });

  test.each(["never-opens", "never-begins"])("a plugin that %s runs into its deadline", async (model) => {
    const response = await ask(model, stream);
    expect([response.status, (await errorIn(response)).code]).toEqual([504, "upstream_timeout"]);
  });

  test.each([
    ["throws-in-finally", "Hello", "stop"],
    ["goes-on-after-its-end", "HelloHelloHello", "length"],
  ])("a plugin that %s has given a whole answer, which ends once", async (model, said, reason) => {
    const response = await ask(model, stream);
    expect(response.status).toBe(200);
    if (stream) {
      const frames = await readFrames(response);
      expect([textOf(frames), frames.data.at(-1)]).toEqual([said, "[DONE]"]);
      const finishes = frames.chunks.flatMap((chunk) => chunk.choices[0]?.finish_reason ?? []);
      expect(finishes).toEqual([reason as "stop"]);
    } else {
      const { choices } = (await response.json()) as { choices: object[] };
      expect(choices).toMatchObject([{ message: { content: said }, finish_reason: reason }]);
    }
  });

  test.each(["never-opens", "never-begins", "never-goes-on", "throws-in-finally"])(
    "nothing is left of a client that leaves a plugin that %s",
    async (model) => {
      const leaving = new AbortController();
      const answer = gateway.chat(
        { model, stream, messages: [{ role: "user", content: "Hi" }] },
        { signal: leaving.signal },
      );
      await Promise.race([answer, until(() => gateway.gateway.inFlight.running > 0, "the call")]);
      leaving.abort();
      await answer.then(
        (response) => response.text().catch(() => ""),
        () => "",
      );
      await until(() => gateway.gateway.inFlight.running === 0, "the end of the call");
    },
  );
});

test.each([
  ["throws-after", "upstream_bad_response"],
  ["never-goes-on", "upstream_timeout"],
  ["gives-an-unknown-event-later", "upstream_bad_response"],
  ["gives-a-number-as-text", "upstream_bad_response"],
  ["gives-what-is-no-json", "internal_error"],
])("a stream of a plugin that %s ends with one error frame", async (model, code) => {
  const { data, text } = parseFrames(await (await ask(model, true)).text());
  const last = JSON.parse(data.at(-1) ?? "") as { error: { code: string } };
  expect(last.error.code).toBe(code);
  expect(text).toContain(`"content":"Hello"`);
  expect(text).not.toContain("internals");
  expect(text).not.toContain("[DONE]");
  expect(text).not.toContain(`"finish_reason":"`);
});

test("a parameter's name that no header can hold is written so that one can", async () => {
  const response = await ask("goes-on-after-its-end", false);
  expect(response.headers.get("x-modelyard-ignored")).toBe("na%C3%AFve%0D%0Aname%2C%20really,7");
});

test("counts that are none cost nobody anything, and what the answer took is estimated", async () => {
  const response = await ask("counts-nonsense", false);
  expect(response.headers.get("x-modelyard-usage")).toBe("estimated");
  const { usage } = (await response.json()) as { usage: Record<string, number> };
  expect(usage["completion_tokens"]).toBeGreaterThan(0);
  expect(usage["total_tokens"]).toBe((usage["prompt_tokens"] ?? 0) + (usage["completion_tokens"] ?? 0));
});

test("nor do they switch off limits and budgets", async () => {
  const limits = "limits: { tokens_per_minute: 1000 }, budget: { tokens: 60, per: day }";
  const upstream = `{ plugin: ${JSON.stringify(ODD)} }`;
  await using other = await startGateway(
    `keys: [{ name: test, key: ${TEST_KEY}, ${limits} }]\nupstreams: { odd: ${upstream} }\n`,
  );
  const statuses: number[] = [];
  for (let count = 0; count < 20 && statuses.at(-1) !== 429; count++) {
    const response = await other.chat({
      model: "counts-nonsense",
      messages: [{ role: "user", content: "Hi" }],
    });
    statuses.push(response.status);
    expect(Number(response.headers.get("x-ratelimit-remaining-tokens"))).toBeWithin(0, 1001);
    await response.text();
  }
  expect(statuses.slice(0, 2)).toEqual([200, 200]);
  expect(statuses.at(-1)).toBe(429);
});

test.each([["no list"], [[null]], [["text"]], [[{ id: 7 }]], [{ error: "down" }]])(
  "a plugin whose models() gives %j keeps nobody from the models of others, nor from its own by their address",
  async (lists) => {
    const upstream = { plugin: ODD, options: { lists } };
    await using other = await startGateway(
      `upstreams: { odd: ${JSON.stringify(upstream)}, echo: { plugin: echo } }\n`,
    );
    const headers = { authorization: `Bearer ${other.key}` };
    const listed = (await (await fetch(`${other.url}/v1/models`, { headers })).json()) as {
      data: { id: string }[];
    };
    expect(listed.data.map(({ id }) => id)).toEqual(["echo"]);
    const messages = [{ role: "user", content: "Hi" }];
    for (const model of ["echo", "odd/goes-on-after-its-end"]) {
      const response = await other.chat({ model, messages });
      expect([response.status, await response.text()]).toEqual([200, expect.stringContaining("usage")]);
    }
  },
);

test.each(["says-what-it-should-not", "throws-what-it-should-not"])(
  "a secret of the options is in no answer and no log line of a plugin that %s",
  async (model) => {
    log = "";
    const response = await ask(model, true);
    const text = await response.text();
    flushLog();
    expect(response.status).toBe(502);
    for (const said of [text, log]) {
      expect(said).not.toContain(TOKEN);
      expect(said).not.toContain(JSON.stringify(TOKEN).slice(1, -1));
    }
    expect(text + log).toContain("refused the token [redacted]");
  },
);

test.each([
  ["throws-before", "error=internals"],
  ["gives-what-is-no-json", "TypeError: "],
])("what went wrong with a plugin that %s is in the log, where its author looks", async (model, said) => {
  log = "";
  await (await ask(model, true)).text();
  flushLog();
  expect(log).toContain(said);
});
