/**
 * The load client: a process of its own that gets jobs from the benchmark and tells what came of them.
 * @module
 */
import type { Job } from "./job.ts";
import { carryOut } from "./jobs.ts";

process.on("message", (job: Job) => {
  void carryOut(job).then(
    (outcomes) => process.send?.({ outcomes }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
