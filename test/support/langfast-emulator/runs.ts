import type { JsonObject } from "../../../src/contract/json.ts";
import type { Account } from "./auth.ts";
import type { InitiateBody } from "./checks.ts";
import { faultFrame, framesOf, NOISE } from "./frames.ts";
import type { Frame } from "./frames.ts";
import type { Journal } from "./journal.ts";
import type { RunRecord, RunState } from "./records.ts";
import type { Runner } from "./runner.ts";
import type { EmulatorScript, RunFault, RunScript } from "./script.ts";
import { defaultAnswer } from "./text.ts";
import { pause, unlessAborted } from "./waiting.ts";

const KEPT = 2_000;
const EARLY_HEAD_START = 20;

type Run = { -readonly [Member in keyof RunRecord]: RunRecord[Member] };

/** A run and how far it is. */
interface Performance {
  readonly run: Run;
  readonly script: RunScript;
  readonly frames: readonly Frame[];
  /** Ends all waiting when the run is over. */
  readonly over: AbortController;
}

/** What the runs need of the rest. */
export interface RunsParts {
  readonly journal: Journal;
  readonly script: () => EmulatorScript;
  readonly runner: () => Runner;
}

/** The prompt runs: each plays its events as its script says. */
export class Runs implements Disposable {
  readonly records: RunRecord[] = [];
  readonly #running = new Set<Performance>();
  readonly #stop = new AbortController();
  readonly #parts: RunsParts;

  constructor(parts: RunsParts) {
    this.#parts = parts;
  }

  /** Starts a run; gives the body of the HTTP answer when it is time for it. */
  async start(body: InitiateBody, account: Account): Promise<JsonObject> {
    const performance = this.#begin(body, account);
    const { run, script } = performance;
    const early = script.early ?? 0;
    await this.#play(performance, early);
    const delay = script.answerDelay ?? (early > 0 ? EARLY_HEAD_START : 0);
    if (delay > 0) await pause(delay, this.#stop.signal);
    // After the answer was given; nobody awaits the rest, so what a script throws has to be kept here.
    setImmediate(() => {
      this.#play(performance, Infinity).catch((error: unknown) => {
        this.#parts.journal.violated(`the script threw: ${String(error)}`);
      });
    });
    return script.namesJob === false
      ? { run_id: run.runId }
      : { run_id: run.runId, jobs: [{ job_id: run.jobId }] };
  }

  /** Whether a run of this id was started, as far back as is remembered. */
  has(runId: string): boolean {
    return this.records.some((run) => run.runId === runId);
  }

  /** Ends what still runs for a user without a socket. */
  abandon(userId: string): void {
    for (const performance of this.#running) {
      if (performance.run.userId === userId) this.#end(performance, "abandoned");
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    for (const { over } of this.#running) over.abort();
    this.#running.clear();
  }

  #begin(body: InitiateBody, account: Account): Performance {
    const run = newRun(body, account, this.#isBusy(account.id));
    const common = this.#parts.script();
    const script = { ...common, ...common.run?.(run) };
    run.text = answerOf(run, script);
    const performance = { run, script, frames: framesOf(run, script), over: new AbortController() };
    this.records.push(run);
    if (this.records.length > KEPT) this.records.shift();
    this.#running.add(performance);
    this.#parts.journal.did("runsStarted");
    if (!run.socketOpen) this.#end(performance, "abandoned");
    return performance;
  }

  #isBusy(userId: string): boolean {
    return [...this.#running].some(({ run }) => run.userId === userId);
  }

  /** Emits until `until` events are out, or the run is over. */
  async #play(performance: Performance, until: number): Promise<void> {
    const { run, script, frames, over } = performance;
    while (!over.signal.aborted && run.framesSent < until) {
      if (script.fault && run.framesSent >= script.fault.after) return this.#break(performance, script.fault);
      const frame = frames[run.framesSent];
      if (!frame) break;
      const gate = script.before?.(run.framesSent, run);
      if (gate) await unlessAborted(gate, over.signal);
      if (script.pace && run.framesSent > 0) await pause(script.pace, over.signal);
      if (!over.signal.aborted) this.#emit(performance, frame);
    }
    if (run.framesSent >= frames.length && script.end !== "none") this.#end(performance, "finished");
  }

  #emit({ run, script }: Performance, frame: Frame): void {
    const noise = script.noise ? NOISE[run.framesSent % NOISE.length] : undefined;
    if (noise) this.#parts.runner().emit(run.userId, noise);
    this.#parts.runner().emit(run.userId, frame);
    run.framesSent++;
    this.#parts.journal.changed();
  }

  #break(performance: Performance, fault: RunFault): void {
    const { run, script } = performance;
    const frame = faultFrame(run, fault, script);
    if (frame) {
      this.#parts.runner().emit(run.userId, frame);
      this.#end(performance, "failed");
    }
    if (fault.how === "drop") this.#parts.runner().drop(run.userId);
    if (fault.how === "disconnect") this.#parts.runner().disconnect(run.userId);
  }

  #end(performance: Performance, state: Exclude<RunState, "running">): void {
    if (performance.run.state !== "running") return;
    performance.run.state = state;
    performance.over.abort();
    this.#running.delete(performance);
    this.#parts.journal.did(COUNTED[state]);
  }
}

const COUNTED = { finished: "runsFinished", failed: "runsFailed", abandoned: "runsAbandoned" } as const;

function newRun(body: InitiateBody, account: Account, overlapped: boolean): Run {
  return {
    ...body,
    jobId: crypto.randomUUID(),
    userId: account.id,
    socketOpen: account.sockets > 0,
    overlapped,
    text: "",
    state: "running",
    framesSent: 0,
  };
}

function answerOf(run: RunRecord, { answer }: RunScript): string {
  if (typeof answer === "function") return answer(run);
  return answer ?? defaultAnswer(run.promptMeta);
}
