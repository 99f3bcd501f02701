import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGateway } from "../support/gateway.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { readFrames } from "../support/sse-frames.ts";
import { fileOf, guide, settingsOf } from "./page.ts";

/**
 * The plugins in the guide for authors, written to a folder and served as it says, do what it says of them.
 * @module
 */
const page = await guide();

interface Serving {
  /** Takes the place of the address in the page's settings. */
  readonly url?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** More of gateway.yaml. */
  readonly settings?: string;
}

function serve(
  file: string,
  { url = "", environment = {}, settings = "" }: Serving = {},
): Promise<RunningGateway> {
  const yaml = settingsOf(page, file).replace("http://127.0.0.1:9000", url);
  return startGateway(settings + yaml, { files: { [file]: fileOf(page, file) }, environment });
}

function asking(model: string, fields: object = {}): object {
  return { model, messages: [{ role: "user", content: "Hello" }], ...fields };
}

async function textFrom(response: Response): Promise<string> {
  const answer = (await response.json()) as { choices: { message: { content: string } }[] };
  expect(response.status).toBe(200);
  return answer.choices[0]?.message.content ?? "";
}

/** An answer in OpenAI's format. */
function completion(content: string): Response {
  return Response.json({
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
  });
}

/** A server that each test gives its own answers to. */
class Server {
  readonly requests: { readonly path: string; readonly headers: Headers; readonly body: string }[] = [];
  answer: (path: string, headers: Headers) => Response = () => new Response("", { status: 404 });
  readonly #server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async ({ url, headers, body }) => {
      const { pathname: path } = new URL(url);
      this.requests.push({ path, headers, body: await new Response(body).text() });
      return this.answer(path, headers);
    },
  });

  get url(): string {
    return this.#server.url.origin;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.stop(true);
  }
}

test("the parrot repeats, in a stream too, and names what it ignores", async () => {
  await using gateway = await serve("parrot.ts");
  expect(await textFrom(await gateway.chat(asking("parrot-1")))).toBe("Squawk! Hello");
  const response = await gateway.chat(asking("parrot-1", { stream: true, temperature: 1 }));
  expect(response.headers.get("x-modelyard-ignored")).toBe("temperature");
  const { chunks, data } = await readFrames(response);
  expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("Squawk! Hello");
  expect(data.at(-1)).toBe("[DONE]");
});

describe("the plugin for plain HTTP", () => {
  let server: Server;
  let gateway: RunningGateway;

  beforeAll(async () => {
    server = new Server();
    server.answer = (path) =>
      Response.json(
        path === "/models"
          ? { models: ["small"] }
          : { text: "Good day.", end: "length", tokens: { read: 3, written: 4 } },
      );
    gateway = await serve("answers.ts", {
      url: server.url,
      environment: { ANSWERS_KEY: "answers-key-0123456789" },
    });
  });
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test("sends what the server knows, names the rest, and hands on reason and usage", async () => {
    const response = await gateway.chat(asking("small", { temperature: 0.5, seed: 1 }));
    expect(response.headers.get("x-modelyard-ignored")).toBe("seed");
    expect(await response.json()).toMatchObject({
      choices: [{ message: { content: "Good day." }, finish_reason: "length" }],
      usage: { prompt_tokens: 3, completion_tokens: 4 },
    });
    const { headers, body = "" } = server.requests.at(-1) ?? {};
    expect(headers?.get("authorization")).toBe("Bearer answers-key-0123456789");
    expect(JSON.parse(body)).toEqual({ ...asking("small"), temperature: 0.5 });
  });

  test.each([
    ["tools", { tools: [{ type: "function", function: { name: "f" } }] }],
    ["n", { n: 2 }],
  ])("refuses %s", async (param, fields) => {
    const response = await gateway.chat(asking("small", fields));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: "unsupported_parameter", param } });
  });

  test("says that something else is no answer", async () => {
    await using stranger = new Server();
    stranger.answer = () => Response.json({ models: ["small"] });
    await using other = await serve("answers.ts", {
      url: stranger.url,
      environment: { ANSWERS_KEY: "answers-key-0123456789" },
    });
    const response = await other.chat(asking("small"));
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { code: "upstream_bad_response" } });
  });
});

test("the relay loses no field, and goes on with its other key when one is refused", async () => {
  await using server = new Server();
  server.answer = (_path, headers) =>
    headers.get("authorization") === "Bearer key-one"
      ? completion("relayed")
      : Response.json({ error: { message: "an unknown key" } }, { status: 401 });
  await using gateway = await serve("relay.ts", { url: server.url });
  for (let time = 0; time < 4; time++) {
    expect(await textFrom(await gateway.chat(asking("relayed-1", { strange: { deep: [1] } })))).toBe(
      "relayed",
    );
  }
  const [{ path, body } = { path: "", body: "" }] = server.requests;
  expect(path).toBe("/v1/chat/completions");
  expect(JSON.parse(body)).toMatchObject({ strange: { deep: [1] } });
  const refused = server.requests.filter(({ headers }) => headers.get("authorization") !== "Bearer key-one");
  expect(refused.length).toBeLessThanOrEqual(1);
});

/** Gives tickets; the first ones of the day may be made worthless. */
function ticketServer(): Server & { worthless: Set<string>; made: number } {
  const server = Object.assign(new Server(), { worthless: new Set<string>(), made: 0 });
  server.answer = (path, headers) => {
    const ticket = headers.get("x-ticket") ?? "";
    if (path.startsWith("/tickets/")) {
      const name = path === "/tickets/new" ? `clerk-${++server.made}` : path.slice("/tickets/".length);
      return Response.json({ name, ticket: `ticket-of-${name}`, until: Date.now() + 3_600_000 });
    }
    return server.worthless.has(ticket)
      ? Response.json({ error: { message: `no entry with ${ticket}` } }, { status: 401 })
      : completion(`Welcome with ${ticket}.`);
  };
  return server;
}

describe("the plugin that makes its credentials", () => {
  test("asks with one of its tickets, and with a new one when that is refused", async () => {
    await using server = ticketServer();
    await using gateway = await serve("tickets.ts", { url: server.url });
    expect(await textFrom(await gateway.chat(asking("clerk")))).toContain("Welcome");
    server.worthless.add("ticket-of-clerk-1");
    // The first ticket is refreshed once before it is given up; each request is served or told why not.
    const statuses = new Set<number>();
    for (let time = 0; time < 5; time++) {
      const response = await gateway.chat(asking("clerk"));
      statuses.add(response.status);
      const said = await response.text();
      if (response.status === 200 && said.includes("Welcome")) break;
      expect(said).not.toContain("ticket-of-clerk-1");
    }
    expect(statuses).toContain(200);
    expect(server.made).toBeGreaterThan(1);
  });

  test("signs nobody up again after a restart", async () => {
    const folder = mkdtempSync(join(tmpdir(), "modelyard-tickets-"));
    const settings = storageIn(folder);
    try {
      await using server = ticketServer();
      for (let life = 0; life < 2; life++) {
        await using gateway = await serve("tickets.ts", { url: server.url, settings });
        expect(await textFrom(await gateway.chat(asking("clerk")))).toContain("Welcome");
      }
      expect(server.made).toBe(1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function storageIn(folder: string): string {
  return `storage: { database: "sqlite:${join(folder, "state.sqlite")}", secret: a-secret-of-tests-0123456789abcdef }\n`;
}

test("visits are counted over restarts, and none is lost when many come at once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "modelyard-visits-"));
  try {
    const seen: string[] = [];
    for (let life = 0; life < 2; life++) {
      await using gateway = await serve("visits.ts", { settings: storageIn(folder) });
      const answers = Array.from({ length: 8 }, async () => textFrom(await gateway.chat(asking("visits"))));
      seen.push(...(await Promise.all(answers)));
    }
    const expected = Array.from({ length: 16 }, (_, visit) => `This is visit ${visit + 1}.`);
    expect(seen.toSorted()).toEqual(expected.toSorted());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
