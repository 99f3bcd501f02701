import { expect, test } from "bun:test";
import { httpUpstream, testUpstream } from "modelyard/conformance";
import type { Fixtures } from "modelyard/conformance";
import { until } from "../support/until.ts";
import { jobFixtures } from "./job-fixtures.ts";
import jobs from "./jobs.ts";

/** What the report says of one rule. */
async function verdictOn(only: string, fixtures: Fixtures = jobFixtures) {
  const { results } = await testUpstream(jobs, fixtures, { only });
  return { outcome: results[0]?.outcome, detail: results[0]?.detail };
}

test("a plugin that sends every field keeps 3.4, though each request has a ticket of its own", async () => {
  expect(await verdictOn("3.4")).toEqual({ outcome: "kept", detail: "top_p: the upstream takes hundredths" });
});

test("3.5 looks for translated values, and names the fields that are handled instead of looking", async () => {
  expect(await verdictOn("3.5")).toEqual({ outcome: "kept", detail: "top_p: the upstream takes hundredths" });
});

test("3.5 tells how to say that an upstream counts differently", async () => {
  const { detail } = await verdictOn("3.5", { ...jobFixtures, translated: {} });
  expect(detail).toStartWith("the client gave temperature 0.25; 0.25 didn't reach the upstream");
  expect(detail).toContain("`translated` or `handled`");
});

test("a list that is answered although the upstream is silent says nothing about giving it up", async () => {
  const { outcome, detail } = await verdictOn("6.7");
  expect(outcome).toBe("skipped");
  expect(detail).toContain("your `silent` answers the list");
});

test("jobs that go on without a connection count as work of an HTTP upstream", async () => {
  let working = 0;
  let address = "";
  await using played = await httpUpstream({
    options(url) {
      address = url;
      return {};
    },
    active: () => working,
    respond: (_, reply) => reply.end(String((working += 1))),
  });
  expect(played.active).toBe(0);
  await (await fetch(address)).text();
  await until(() => played.active === 1, "only the job is left");
  working = 0;
  expect(played.active).toBe(0);
});
