import { expect, jest, test } from "bun:test";
import { Type } from "../contract/index.ts";
import type { Host, Upstream } from "../contract/index.ts";
import { createLogger } from "../log.ts";
import { Redactor } from "../secrets/redactor.ts";
import { openTemporaryStorage } from "../storage/open-storage.ts";
import { openUpstream } from "./open-upstream.ts";

const timeouts = { queue: 1, connect: 1_000, first_event: 1_000, idle: 1_000, total: 1_000 };

/** Opens an upstream of a plugin that nobody compiled, so that `open` may return anything. */
function opening(open: (options: unknown, host: Host) => unknown) {
  const plugin = { apiVersion: 1 as const, name: "mine", options: Type.Object({}), open };
  const settings = {
    plugin: "mine",
    enabled: true,
    optional: false,
    options: {},
    models: ["*"],
    timeouts,
    limits: {},
  };
  const planned = { id: "first", plugin: plugin as never, options: {}, settings };
  const redactor = new Redactor();
  const log = createLogger({ log: "json", level: "error", redact: redactor.redact });
  return openUpstream(planned, { log, storage: openTemporaryStorage(), redactor, fetchWithin: () => fetch });
}

const models = async () => [];
const chat = async function* () {};

test.each([
  ["no models", { chat }, "no function models"],
  ["no chat", { models }, "no function chat"],
  ["no chat in a promise", Promise.resolve({ models }), "no function chat"],
  ["a text for chat", { models, chat: "hello" }, "no function chat"],
  ["neither", {}, "no function models, and no function chat"],
  ["nothing", undefined, "must return an object with models and chat"],
])("an open that gives %s is refused with what is missing", async (_, returned, message) => {
  await expect(opening(() => returned)).rejects.toThrow(message);
});

test("what was deferred runs when open returned no upstream", async () => {
  const ran: string[] = [];
  const open = (_: unknown, host: Host) => host.defer(() => void ran.push(String(host.signal.aborted)));
  await expect(opening(open)).rejects.toThrow("mine");
  expect(ran).toEqual(["true"]);
});

test("methods may stand on a class", async () => {
  class Mine implements Upstream {
    models = models;
    chat() {
      return chat();
    }
  }
  const opened = await opening(() => new Mine());
  expect(opened.upstream).toBeInstanceOf(Mine);
  await opened.close();
});

test("an open that never ends is given up, and what it deferred runs", async () => {
  const ran: string[] = [];
  jest.useFakeTimers();
  try {
    const hanging = opening((_, host) => {
      host.defer(() => void ran.push("deferred"));
      return new Promise(() => undefined);
    });
    jest.advanceTimersByTime(10_000);
    await expect(hanging).rejects.toThrow("longer than 10 s: open() may only check and build");
  } finally {
    jest.useRealTimers();
  }
  expect(ran).toEqual(["deferred"]);
});
