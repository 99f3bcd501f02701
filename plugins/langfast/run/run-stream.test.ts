import { expect, test } from "bun:test";
import { RunStream } from "./run-stream.ts";

test("a run that can't begin is begun once: behind its failure there is nothing", async () => {
  let begun = 0;
  const stream = new RunStream(() => Promise.reject(new Error(`no ${(begun += 1)}`)));
  await expect(stream.next()).rejects.toThrow("no 1");
  expect(await stream.next()).toEqual({ done: true, value: undefined });
  expect(begun).toBe(1);
});
