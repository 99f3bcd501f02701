import { expect, test } from "bun:test";
import { join } from "node:path";

/** The tests of what clients are promised; those that need the gateway's own client say so by `withOwnClient`. */
const TESTS = [
  "test/promises",
  "test/regression",
  "test/e2e/deadlines.test.ts",
  "test/e2e/failover",
  "test/e2e/openai",
  "test/e2e/wire",
  "src/kit/http",
];

test("the promises are kept by Bun's fetch, too", async () => {
  const run = Bun.spawn([process.execPath, "test", ...TESTS], {
    cwd: join(import.meta.dir, "../.."),
    env: { ...process.env, MODELYARD_HTTP_CLIENT: "fetch" },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
  });
  const report = await new Response(run.stderr).text();
  // Bun names each failed test there.
  console.log(
    report
      .split("\n")
      .filter((line) => /^\((fail|skip)\)/.test(line))
      .join("\n"),
  );
  expect(report).toMatch(/^ [1-9]\d{2,} pass$/m);
  expect([await run.exited, /^ [1-9]\d* skip$/m.test(report)]).toEqual([0, false]);
}, 600_000);
