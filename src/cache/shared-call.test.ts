import { describe, expect, test } from "bun:test";
import { textIn } from "../../test/support/batches.ts";
import { Source } from "../../test/support/event-source.ts";
import { rejection } from "../../test/support/rejection.ts";
import { UpstreamError } from "../contract/index.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import { CancelSource } from "../runtime/cancel-source.ts";
import { createLogger } from "../log.ts";
import type { DispatchContext, DispatchFacts } from "../attempts/dispatch-context.ts";
import type { SharedCall } from "./shared-call.ts";
import { Coalescer } from "./coalescer.ts";
import type { Answer, Provenance } from "../attempts/answer.ts";

const log = createLogger({ log: "json", level: "error", redact: (text) => text });
const BY: Provenance = { upstream: "one", upstreamModel: "m", attempts: 1, ignored: [] };

/** One client who waits, and can leave. */
class Client {
  readonly cancellation: CancelSource<GatewayError> = new CancelSource();
  readonly facts: DispatchFacts[] = [];
  readonly reason = new GatewayError("client_closed_request", "this one left");

  note(facts: DispatchFacts): void {
    this.facts.push(facts);
  }

  share(): void {
    // Who pays is told with the answer, too.
  }

  leave(): void {
    this.cancellation.cancel(this.reason);
  }
}

/** A call whose upstream commits, or fails, when the test says so. */
function started(pieces: readonly string[] = ["a", "b", "c"]) {
  const coalescer = new Coalescer({ maxSize: 1024 * 1024, maxEntry: 1024 * 1024 });
  const source = new Source(pieces);
  const asked = Promise.withResolvers<Answer>();
  let context: DispatchContext | undefined;
  let completed = 0;
  const call = coalescer.start("key", {
    id: "first",
    headers: {},
    log,
    ask: (own) => {
      context = own;
      return asked.promise;
    },
    complete: () => (completed += 1),
  });
  return {
    coalescer,
    call,
    source,
    fail: asked.reject,
    commit: () => asked.resolve({ ...BY, content: source, cache: "bypass", pays: () => true }),
    note: (facts: DispatchFacts) => context?.note(facts),
    completed: () => completed,
    /** Whether the upstream's work was ended. */
    isCancelled: () => context?.cancellation.reason !== undefined,
  };
}

function subscribe(call: SharedCall, count: number): { clients: Client[]; answers: Promise<Answer>[] } {
  const clients = Array.from({ length: count }, () => new Client());
  return { clients, answers: clients.map((client) => call.subscribe(client, "follow")) };
}

function textOf({ content }: Answer): Promise<string> {
  return textIn(content);
}

describe("one call", () => {
  test("carries its answer to all who subscribed, before and after it began", async () => {
    const { coalescer, call, commit, completed } = started();
    const { answers } = subscribe(call, 3);
    commit();
    const [first, ...others] = await Promise.all(answers);
    if (!first) throw new Error("nobody subscribed");
    expect(await textOf(first)).toBe("abc");
    expect(coalescer.find("key")).toBeUndefined();
    for (const other of others) expect(await textOf(other)).toBe("abc");
    expect(first).toMatchObject(BY);
    expect(completed()).toBe(1);
  });

  test("lets late ones have what has passed, and then the rest", async () => {
    const { coalescer, call, source, commit } = started();
    commit();
    const first = await call.subscribe(new Client(), "follow");
    const reader = first.content;
    await reader.next();
    source.hold();
    const wait = reader.next();
    const late = textOf(await (coalescer.find("key") ?? call).subscribe(new Client(), "follow"));
    source.release();
    expect((await wait).value).toEqual([{ type: "text", text: "b" }]);
    expect(await late).toBe("abc");
  });

  test("tells each what is known of its call, whenever they came", () => {
    const { call, note } = started();
    const facts = { upstream: "one", upstreamModel: "m", attempts: 1 };
    const early = subscribe(call, 1).clients[0];
    note(facts);
    const late = subscribe(call, 1).clients[0];
    expect([early?.facts, late?.facts]).toEqual([[facts], [facts]]);
  });

  test("fails for all when no upstream answers, and can't be joined any more", async () => {
    const { coalescer, call, fail } = started();
    const { answers } = subscribe(call, 3);
    fail(new UpstreamError("rate-limited", "not now"));
    for (const answer of answers) expect((await rejection(answer, UpstreamError)).code).toBe("rate-limited");
    expect(coalescer.running).toBe(0);
  });

  test("fails for all when the answer breaks off, and is kept by nobody", async () => {
    const { coalescer, call, source, commit, completed } = started();
    source.failure = new UpstreamError("truncated", "broken off");
    const { answers } = subscribe(call, 2);
    commit();
    for (const answer of answers) {
      expect((await rejection(answer.then(textOf), UpstreamError)).code).toBe("truncated");
    }
    expect([completed(), coalescer.running, coalescer.size]).toEqual([0, 0, 0]);
  });
});

describe("who leaves", () => {
  test("before it began has their own reason, and disturbs nobody", async () => {
    const { call, commit, isCancelled } = started();
    const { clients, answers } = subscribe(call, 2);
    clients[0]?.leave();
    expect(await rejection(answers[0] ?? Promise.resolve(), GatewayError)).toBe(
      clients[0]?.reason as GatewayError,
    );
    commit();
    expect(await answers[1]?.then(textOf)).toBe("abc");
    expect(isCancelled()).toBe(true);
  });

  test("in the middle of it, too", async () => {
    const { call, source, commit, isCancelled } = started();
    const { clients, answers } = subscribe(call, 2);
    commit();
    source.hold();
    const texts = answers.map((answer) => answer.then(textOf));
    await answers[0];
    clients[0]?.leave();
    expect(await rejection(texts[0] ?? Promise.resolve(), GatewayError)).toBe(
      clients[0]?.reason as GatewayError,
    );
    expect(isCancelled()).toBe(false);
    source.release();
    expect(await texts[1]).toBe("abc");
  });

  test("as the last ends the upstream's work at once", async () => {
    const { coalescer, call, isCancelled } = started();
    const { clients, answers } = subscribe(call, 2);
    clients[0]?.leave();
    expect([isCancelled(), coalescer.running]).toEqual([false, 1]);
    clients[1]?.leave();
    expect([isCancelled(), coalescer.running]).toEqual([true, 0]);
    await Promise.allSettled(answers);
  });

  test("has left before subscribing does not subscribe", async () => {
    const { call, isCancelled } = started();
    const client = new Client();
    client.leave();
    expect(await rejection(call.subscribe(client, "follow"), GatewayError)).toBe(client.reason);
    expect(isCancelled()).toBe(true);
  });

  test("while the upstream commits all the same leaves nothing behind", async () => {
    const { call, source, commit } = started();
    const { clients, answers } = subscribe(call, 1);
    clients[0]?.leave();
    commit();
    await Promise.allSettled(answers);
    await new Promise(setImmediate);
    expect(source.returned).toBe(true);
  });
});

describe("who pays", () => {
  const paying = (answers: readonly Answer[]) => answers.map((answer) => answer.pays());

  test("is the first, to the end and after it", async () => {
    const { call, commit } = started();
    const { clients, answers } = subscribe(call, 3);
    commit();
    const shared = await Promise.all(answers);
    expect(paying(shared)).toEqual([true, false, false]);
    for (const answer of shared) await textOf(answer);
    for (const client of clients) client.leave();
    expect(paying(shared)).toEqual([true, false, false]);
  });

  test("is another when that one leaves early, but the last pays whatever they do", async () => {
    const { call, commit } = started();
    const { clients, answers } = subscribe(call, 3);
    commit();
    const shared = await Promise.all(answers);
    clients[0]?.leave();
    expect(paying(shared)).toEqual([false, true, false]);
    clients[2]?.leave();
    clients[1]?.leave();
    expect(paying(shared)).toEqual([false, true, false]);
  });
});
