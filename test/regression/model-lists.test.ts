import { describe, expect, test } from "bun:test";
import { freePort } from "../support/free-port.ts";
import { tries } from "../support/forward-gateway.ts";
import { startGateway } from "../support/gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { silentServer } from "../support/silent-server.ts";
import { until } from "../support/until.ts";

/**
 * Lists of models: nobody waits for another's, and none is without bounds.
 * @module
 */
const ANSWER = {
  choices: [{ index: 0, message: { role: "assistant", content: "Well" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 1, completion_tokens: 1 },
};

/** A server that lists these models and answers for each. */
function serverOf(models: readonly object[], port = 0): Bun.Server<undefined> {
  const body = JSON.stringify({ data: models });
  const fetch = (request: Request): Response =>
    new URL(request.url).pathname === "/v1/models" ? new Response(body) : Response.json(ANSWER);
  return Bun.serve({ hostname: "127.0.0.1", port, fetch });
}

function start(upstreams: Readonly<Record<string, string>>): Promise<RunningGateway> {
  const entries = Object.entries(upstreams).map(([id, url]) => {
    const options = { base_url: new URL("v1", url).href, api_key: "sk-upstream-0123456789" };
    return `  ${id}: ${JSON.stringify({ plugin: "openai", options })}\n`;
  });
  return startGateway(`${tries(1)}upstreams:\n${entries.join("")}`);
}

function ask(gateway: RunningGateway, model: string): Promise<Response> {
  return gateway.chat({ model, messages: [{ role: "user", content: "Well?" }] });
}

function get(gateway: RunningGateway, path: string): Promise<Response> {
  return fetch(gateway.baseURL + path, { headers: { authorization: `Bearer ${gateway.key}` } });
}

describe("beside an upstream that never gives its list", () => {
  // Before the other one in the file, whose list comes at once.
  async function besideHung(use: (gateway: RunningGateway) => Promise<Response>): Promise<string> {
    await using hung = silentServer();
    await using fine = serverOf([{ id: "m" }]);
    await using gateway = await start({ hung: hung.url, fine: fine.url.href });
    let isGone = false;
    void hung.gone.then(() => (isGone = true));
    const response = await use(gateway);
    expect(response.status).toBe(200);
    // The list is given up after 3 s: the answer came before that.
    expect(isGone).toBe(false);
    return response.text();
  }

  test("a request by a bare name is answered at once", async () => {
    expect(await besideHung((gateway) => ask(gateway, "m"))).toContain("Well");
  });

  test("so is a question for the model", async () => {
    expect(await besideHung((gateway) => get(gateway, "/models/m"))).toContain('"m"');
  });

  test("the list of all models is there after a second", async () => {
    expect(await besideHung((gateway) => get(gateway, "/models"))).toContain('"m"');
  });

  test("a name that nobody lists is told 503, since the hung one may have it", async () => {
    await using hung = silentServer();
    await using fine = serverOf([{ id: "m" }]);
    await using gateway = await start({ hung: hung.url, fine: fine.url.href });
    let isGone = false;
    void hung.gone.then(() => (isGone = true));
    const response = await ask(gateway, "other");
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.text()).toContain('\\"hung\\" can\'t be asked for models');
    expect(isGone).toBe(false);
  });

  test("a misspelt name is told the nearest ones, too", async () => {
    await using hung = silentServer();
    await using fine = serverOf([{ id: "gpt-mini" }, { id: "opus" }]);
    await using gateway = await start({ hung: hung.url, fine: fine.url.href });
    const response = await ask(gateway, "gpt-mino");
    expect(response.status).toBe(503);
    const text = await response.text();
    expect(text).toContain('can\'t be asked for models just now; did you mean \\"gpt-mini\\"?');
    expect(text).not.toContain("opus");
  });
});

describe("a gateway that is there before its upstream", () => {
  test("answers as soon as that is there", async () => {
    const port = await freePort();
    await using gateway = await start({ late: `http://127.0.0.1:${port}` });
    expect((await ask(gateway, "m")).status).toBe(503);
    await using _late = serverOf([{ id: "m" }], port);
    await until(async () => (await ask(gateway, "m")).status === 200, "an answer by the bare name");
  });

  test("asks it no more than once a second, however many ask", async () => {
    let asked = 0;
    await using broken = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch() {
        asked += 1;
        return new Response("", { status: 500 });
      },
    });
    await using gateway = await start({ broken: broken.url.href });
    const started = performance.now();
    for (let time = 0; time < 20; time++) {
      const statuses = await Promise.all(
        Array.from({ length: 5 }, async () => (await ask(gateway, "m")).status),
      );
      expect(new Set(statuses)).toEqual(new Set([503]));
    }
    expect(asked).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - started) / 1_000));
  });
});

test("of a list without bounds some thousand models are taken, with ids that can be used", async () => {
  const odd = ["x".repeat(257), "two\nlines", "a\tb", ""].map((id) => ({ id }));
  const rich = {
    id: "rich",
    owned_by: "o".repeat(1_000),
    created: 1,
    context_length: 8_000,
    junk: "j".repeat(1_000),
  };
  const many = Array.from({ length: 20_000 }, (_, number) => ({ id: `model-${number}` }));
  await using server = serverOf([...odd, rich, ...many]);
  await using gateway = await start({ many: server.url.href });
  const { data } = (await (await get(gateway, "/models")).json()) as {
    data: { id: string; owned_by: string }[];
  };
  expect(data).toHaveLength(5_000);
  expect(data.slice(0, 2).map(({ id }) => id)).toEqual(["rich", "model-0"]);
  expect(data[0]?.owned_by).toBe("many");
  expect((await ask(gateway, "model-4998")).status).toBe(200);
  expect((await ask(gateway, "model-4999")).status).toBe(404);
  // By its address it can be asked all the same.
  expect((await ask(gateway, "many/model-19999")).status).toBe(200);
});

test("a list of more than 16 MiB is none", async () => {
  const huge = Array.from({ length: 70_000 }, (_, number) => ({
    id: `model-${number}`,
    junk: "j".repeat(250),
  }));
  await using server = serverOf(huge);
  await using gateway = await start({ huge: server.url.href });
  expect(((await (await get(gateway, "/models")).json()) as { data: unknown[] }).data).toEqual([]);
  expect((await ask(gateway, "huge/model-1")).status).toBe(200);
});
