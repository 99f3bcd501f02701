import { describe, expect, test } from "bun:test";
import { answerTo, asking, openLangfast } from "../../test/support/langfast-upstream.ts";

describe("an answer", () => {
  test("comes as deltas, with the upstream's usage and reason", async () => {
    await using langfast = await openLangfast();
    const { emulator, upstream } = langfast;
    const { text, finish, usage, events, error } = await answerTo(upstream, asking("#gen 7 500"));
    expect(error).toBeUndefined();
    expect(text).toBe(emulator.runs[0]!.text);
    expect(finish).toEqual({ type: "finish", reason: "stop" });
    expect(usage?.usage.output).toBe(500);
    expect(events.length).toBeGreaterThan(3);
    expect(emulator.violations).toEqual([]);
  });
});
