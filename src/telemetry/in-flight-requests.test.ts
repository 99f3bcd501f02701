import { expect, test } from "bun:test";
import { GatewayError } from "../errors/gateway-error.ts";
import type { RunningCall } from "./in-flight-requests.ts";
import { InFlightRequests } from "./in-flight-requests.ts";

class Call implements RunningCall {
  readonly watched = Promise.withResolvers<void>();
  isWatched = false;
  aborted: GatewayError | undefined;

  abort(reason: GatewayError): void {
    this.aborted = reason;
  }

  watch(): void {
    this.isWatched = true;
    this.watched.resolve();
  }
}

test("only those that take longer are watched, each once", async () => {
  const calls = new InFlightRequests();
  const [quick, slow, later] = [new Call(), new Call(), new Call()];
  calls.add(quick);
  calls.add(slow);
  calls.delete(quick);
  await slow.watched.promise;
  expect(quick.isWatched).toBe(false);
  slow.isWatched = false;
  calls.add(later);
  await later.watched.promise;
  expect(slow.isWatched).toBe(false);
  expect(calls.running).toBe(2);
});

test("one whose client turns out to have left is gone from the registry", async () => {
  const calls = new InFlightRequests();
  const left = new Call();
  left.watch = () => {
    calls.delete(left);
    left.watched.resolve();
  };
  calls.add(left);
  expect(calls.running).toBe(1);
  await left.watched.promise;
  expect(calls.running).toBe(0);
});

test("draining waits for all of them, and aborting reaches all of them", async () => {
  const calls = new InFlightRequests();
  const [watched, fresh] = [new Call(), new Call()];
  calls.add(watched);
  await watched.watched.promise;
  calls.add(fresh);
  let isDrained = false;
  const drained = calls.drain().then(() => (isDrained = true));
  calls.abort(new GatewayError("shutting_down", "over"));
  expect([watched.aborted?.code, fresh.aborted?.code]).toEqual(["shutting_down", "shutting_down"]);
  calls.delete(watched);
  await Promise.resolve();
  expect(isDrained).toBe(false);
  calls.delete(fresh);
  await drained;
});
