import { expect, test } from "bun:test";
import { Load } from "./load.ts";

test("the time to the first event is an average that follows, and is forgotten after a minute", () => {
  const load = new Load();
  expect(load.firstEvent(0)).toBeUndefined();
  load.recordFirstEvent(100, 1_000);
  expect(load.firstEvent(1_000)).toBe(100);
  load.recordFirstEvent(200, 2_000);
  expect(load.firstEvent(2_000)).toBe(120);
  expect(load.firstEvent(61_999)).toBe(120);
  expect(load.firstEvent(62_000)).toBeUndefined();
  load.recordFirstEvent(40, 70_000);
  expect(load.firstEvent(70_000)).toBe(40);
});

test("what is under way is counted", () => {
  const load = new Load();
  load.start();
  load.start();
  load.end();
  expect(load.busy).toBe(1);
});
