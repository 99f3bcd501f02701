import { afterAll, expect, test } from "bun:test";
import { HELLO, say, startScripted, stop } from "../support/scripted-gateway.ts";
import { until } from "../support/until.ts";

/**
 * What a plain answer from the cache is to its client and in the books.
 * @module
 */
const gateway = await startScripted(
  { hello: HELLO, silent: [say("Hello"), stop()] },
  { yaml: "cache: { mode: all }\n" },
);
afterAll(() => gateway[Symbol.asyncDispose]());

const ask = (model: string) => gateway.chat({ model, messages: [{ role: "user", content: "Well?" }] });

test.each(["hello", "silent"])(
  "a plain hit of %s is the same answer, as often as it is asked for",
  async (model) => {
    const first = await ask(model);
    const answer = await first.json();
    expect(first.headers.get("x-modelyard-cache")).toBe("miss");
    for (let nth = 0; nth < 3; nth++) {
      const hit = await ask(model);
      expect(hit.headers.get("x-modelyard-cache")).toBe("hit");
      expect(hit.headers.get("x-modelyard-usage")).toBe(first.headers.get("x-modelyard-usage"));
      const { id: _, ...said } = (await hit.json()) as Record<string, unknown>;
      expect(said).toMatchObject({ choices: answer.choices, usage: answer.usage, model: answer.model });
    }
  },
);

test("hits are in the ledger with what they said, and cost nothing", async () => {
  await (await ask("hello")).text();
  await until(() => gateway.gateway.settlements.pending === 0, "the end of all settlements");
  gateway.gateway.ledger.flush();
  const rows = await gateway.gateway.usage.usage({ by: "model" });
  const [row] = rows.filter(({ name }) => name === "hello");
  expect(row).toMatchObject({ requests: row?.ok, hits: (row?.requests ?? 0) - 1, cost: 0, crashed: 0 });
  // The first was paid for.
  expect(row).toMatchObject({ input: 7, output: 3, saved: 10 * (row?.hits ?? 0) });
});
