import { join } from "node:path";
import type { Job, Outcome } from "./client/job.ts";

type Reply = { readonly outcomes: readonly Outcome[] } | { readonly error: string };

/** The load client's process, as the benchmark sees it. */
export class LoadClient implements AsyncDisposable {
  readonly #process: Bun.Subprocess;
  #waiting: PromiseWithResolvers<readonly Outcome[]> | undefined;

  constructor() {
    this.#process = Bun.spawn([process.execPath, join(import.meta.dir, "client/main.ts")], {
      stdio: ["ignore", "inherit", "inherit"],
      ipc: (reply: Reply) => {
        if ("error" in reply) this.#waiting?.reject(new Error(`the load client: ${reply.error}`));
        else this.#waiting?.resolve(reply.outcomes);
      },
      onExit: () => this.#waiting?.reject(new Error("the load client ended")),
    });
  }

  /** Has a job done; one at a time. */
  async all(job: Job): Promise<readonly Outcome[]> {
    this.#waiting = Promise.withResolvers();
    this.#process.send(job);
    return this.#waiting.promise;
  }

  /** The outcome of a job that has only one. */
  async run(job: Exclude<Job, { kind: "turns" }>): Promise<Outcome> {
    const [outcome] = await this.all(job);
    if (!outcome) throw new Error("the load client told nothing");
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    await this.#process.exited;
  }
}
