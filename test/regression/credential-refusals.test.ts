import { expect, test } from "bun:test";
import { join } from "node:path";
import { fileOf } from "../docs/page.ts";
import { startGateway } from "../support/gateway.ts";
import { startEmulator } from "../support/langfast-emulator/index.ts";
import { langfastYaml } from "../support/langfast-gateway.ts";
import { tries } from "../support/forward-gateway.ts";

/**
 * Credentials that a service takes back early: they are refreshed within the request, and no account is lost by it.
 * @module
 */
const QUESTION = { messages: [{ role: "user", content: "Hello" }] };
const LIFE_MS = 20_000;

/** The plugin of the page for authors, with configured accounts in place of sign-ups. */
async function ticketsPlugin(accounts: readonly string[]): Promise<string> {
  const page = await Bun.file(join(import.meta.dir, "../../docs/plugins-credentials.md")).text();
  const create = 'create: (signal) => ticketFrom("/tickets/new", signal),';
  const opened = accounts.map(
    (id) => `{ id: "${id}", open: (signal) => ticketFrom("/tickets/${id}", signal) }`,
  );
  const code = fileOf(page, "tickets.ts");
  expect(code).toContain(create);
  return code.replace(create, `accounts: [${opened.join(", ")}],`);
}

/** Gives tickets that live for 20 s, and takes only the newest of each clerk's that wasn't taken back. */
function ticketServer() {
  const good = new Map<string, string>();
  const banned = new Set<string>();
  const used = new Set<string>();
  let serial = 0;
  let chats = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/tickets/")) {
        const name = pathname.slice("/tickets/".length);
        const ticket = `ticket-${++serial}-of-${name}`;
        good.set(name, ticket);
        return Response.json({ name, ticket, until: Date.now() + LIFE_MS });
      }
      chats++;
      const ticket = request.headers.get("x-ticket") ?? "";
      const [, name = ""] = /of-(.*)$/.exec(ticket) ?? [];
      if (good.get(name) !== ticket || banned.has(name))
        return Response.json({ error: { message: "an unknown ticket" } }, { status: 401 });
      used.add(name);
      const message = { role: "assistant", content: name };
      return Response.json({ choices: [{ index: 0, message, finish_reason: "stop" }] });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    banned,
    /** Takes back the tickets that were of use. */
    takeBack() {
      for (const name of used) good.set(name, "taken back");
      used.clear();
    },
    /** Tickets that were given out. */
    given: () => serial,
    chats: () => chats,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function yamlFor(url: string): string {
  const upstreams = { tickets: { plugin: "./tickets.ts", options: { base_url: url } } };
  return `retry: { budget: 100% }\nupstreams: ${JSON.stringify(upstreams)}\n`;
}

test.each([1, 2])(
  "with %d configured accounts each request goes on with a new token, however often one is taken back",
  async (count) => {
    await using server = ticketServer();
    const names = ["a", "b"].slice(0, count);
    const yaml = yamlFor(server.url);
    await using gateway = await startGateway(yaml, { files: { "tickets.ts": await ticketsPlugin(names) } });
    for (let round = 0; round < 6; round++) {
      server.takeBack();
      const statuses = await Promise.all(
        [1, 2, 3].map(async () => (await gateway.chat({ model: "clerk", ...QUESTION })).status),
      );
      expect(statuses).toEqual([200, 200, 200]);
    }
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).toContain(
      'modelyard_pool_retired_credentials_total{upstream="tickets",origin="configured"} 0',
    );
  },
);

test("an account that stays refused is given up after one refresh, and the metrics say so", async () => {
  await using server = ticketServer();
  const yaml = yamlFor(server.url);
  await using gateway = await startGateway(yaml, {
    files: { "tickets.ts": await ticketsPlugin(["a", "b"]) },
  });
  const first = await gateway.chat({ model: "clerk", ...QUESTION });
  expect(first.status).toBe(200);
  const [before, given] = [server.chats(), server.given()];
  server.banned.add("a");
  for (let round = 0; round < 4; round++)
    expect((await gateway.chat({ model: "clerk", ...QUESTION })).status).toBe(200);
  expect(server.chats() - before).toBe(4 + 2);
  expect(server.given() - given).toBe(1);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).toContain(
    'modelyard_pool_retired_credentials_total{upstream="tickets",origin="configured"} 1',
  );
}, 30_000);

test("a langfast user whose token is taken back again and again is neither lost nor replaced", async () => {
  await using emulator = await startEmulator();
  await using gateway = await startGateway(
    langfastYaml(emulator, "{ min: 0, max: 1 }").replace(tries(1), "retry: { budget: 100% }\n"),
  );
  for (let round = 0; round < 4; round++) {
    const response = await gateway.chat({ model: "gpt-4o-mini", ...QUESTION });
    expect(response.status).toBe(200);
    await response.text();
    emulator.expireAccess(emulator.users[0]!.id);
  }
  expect(emulator.counts).toMatchObject({ signups: 1, refreshes: 3 });
}, 30_000);
