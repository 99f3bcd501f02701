import { UpstreamError } from "modelyard/plugin";
import type { Clock } from "modelyard/kit";
import type { RunnerEvent } from "../run/events.ts";
import { PendingEvents } from "./pending-events.ts";
import type { LateEndMark, LateEndMarks } from "./late-end-marks.ts";
import type { RecentIds } from "./recent-ids.ts";
import type { Run } from "../run/run.ts";
import type { CredentialSharing } from "../auth/sharing.ts";

/** The dependencies that the demultiplexers of all sockets share. */
export interface EventDemuxDeps {
  readonly clock: Clock;
  readonly sharing: CredentialSharing;
  readonly drops: DropCounters;
  /** Ids of ended executions of all sockets. */
  readonly endedIds: RecentIds;
}

/**
 * Attributes the events of one socket to its runs, by execution id where there is one. An event without an id is
 * delivered only if a single run is possible; events that can't be attributed are dropped and counted.
 */
export class EventDemux {
  readonly #runs = new Set<Run>();
  /** Runs by execution id. */
  readonly #owners = new Map<string, Run>();
  /** Runs whose execution ids aren't known yet. */
  readonly #unidentified = new Set<Run>();
  /** A run that was started without ids: the next unknown execution is attributed to it. */
  #adopter: Run | undefined;
  /** Ids from the answers that started runs, as opposed to adopted ones. */
  readonly #answeredIds = new Set<string>();
  /** Runs that received an event without an id. */
  readonly #withoutIds = new WeakSet<Run>();
  /** Late end marks of the user's runs, shared by the user's sockets. */
  readonly #lateEndMarks: LateEndMarks;
  /** The late end marks that arrived on this socket. */
  readonly #seenMarks = new WeakSet<LateEndMark>();
  /** Whether `completion_finished` has an id on this socket, so that it can't be attributed to another run. */
  #endMarksHaveIds = false;
  readonly #pending: PendingEvents;
  /** An end mark without an id that arrived while the text before it was pending. */
  #pendingEnd: { readonly run: Run; readonly event: RunnerEvent } | undefined;
  readonly #deps: EventDemuxDeps;

  /** True when late events could be misattributed; the socket must not be reused. */
  isTainted = false;
  /** True when an event had no id, so that each run needs a socket of its own. */
  lacksIds = false;

  constructor(deps: EventDemuxDeps, lateEndMarks: LateEndMarks) {
    this.#deps = deps;
    this.#lateEndMarks = lateEndMarks;
    this.#pending = new PendingEvents(deps.clock);
  }

  get runs(): ReadonlySet<Run> {
    return this.#runs;
  }

  attach(run: Run): void {
    this.#runs.add(run);
    this.#unidentified.add(run);
  }

  /** Detaches a run, finished or not. */
  detach(run: Run): void {
    if (!this.#runs.delete(run)) return;
    if (run.hasStarted && !run.hasEnded) {
      this.isTainted = true;
      if (!this.#endMarksHaveIds) this.#lateEndMarks.onRunLeft();
      const hasIds = [...this.#owners.values()].includes(run) && !this.#withoutIds.has(run);
      // Where events are known to lack ids, the run's credential isn't leased until they are no longer expected.
      if (!hasIds && !this.#deps.sharing.lacksIds) this.#lateEndMarks.onUnidentifiedRunLeft();
    }
    if (this.#adopter === run) this.#adopter = undefined;
    if (this.#pendingEnd?.run === run) this.#pendingEnd = undefined;
    for (const [id, owner] of this.#owners) if (owner === run) this.#release(id);
    this.#unidentified.delete(run);
    if (this.#unidentified.size === 0) this.#deps.drops.stray += this.#pending.clear();
  }

  /** Assigns the ids from the answer that started a run: usually one; none in some variants of the service. */
  assign(run: Run, ids: readonly string[]): void {
    if (!this.#runs.has(run)) return;
    this.#unidentified.delete(run);
    for (const id of ids) this.#answeredIds.add(id);
    if (ids.length > 0) for (const id of ids) this.#setOwner(run, id);
    else if (run.isExclusive) this.#adopt(run);
    else this.#failUnidentified(run);
    const end = this.#pendingEnd;
    if (end?.run !== run) return;
    this.#pendingEnd = undefined;
    this.onFinished(end.event);
  }

  onChunk(event: RunnerEvent): void {
    if (event.id === undefined) this.#onChunkWithoutId(event);
    else this.#route(event.id, event);
  }

  onFinished(event: RunnerEvent): void {
    if (event.id !== undefined) {
      this.#endMarksHaveIds = true;
      this.#lateEndMarks.clear();
      return this.#route(event.id, event);
    }
    const late = this.#lateEndMarks.next(this.#seenMarks);
    if (late) this.#seenMarks.add(late);
    const meaning = late ? "late" : this.#lateEndMarks.meaningWithoutId;
    if (meaning === "late") this.#deps.drops.late++;
    else if (meaning === "end") this.#deliverToOnlyRun(event);
    else this.#failAmbiguous();
  }

  #route(id: string, event: RunnerEvent): void {
    const { drops } = this.#deps;
    const owner = this.#owners.get(id);
    if (owner) this.#deliver(owner, event);
    else if (this.#deps.endedIds.has(id)) drops.late++;
    else if (this.#adopter) this.#setOwner(this.#adopter, id, event);
    else if (this.#unidentified.size > 0)
      drops.overflowed += this.#pending.add(id, event, this.#unidentified.size);
    else drops.stray++;
  }

  #onChunkWithoutId(event: RunnerEvent): void {
    this.#deps.sharing.disable();
    if (this.#lateEndMarks.isRunUnidentified && !this.isTainted) this.#failAmbiguous();
    else this.#deliverToOnlyRun(event);
  }

  /** Fails the runs that an event could belong to: it may as well be an abandoned run's. */
  #failAmbiguous(): void {
    this.#deps.sharing.disable();
    const message =
      "the service sent an event without a run id that may belong to an abandoned run of the same user";
    for (const run of this.#running()) run.fail(new UpstreamError("bad-response", message));
  }

  /** Delivers an event without an id if a single run is possible, else drops it. */
  #deliverToOnlyRun(event: RunnerEvent): void {
    const [only, ...others] = this.#running();
    if (!only || others.length > 0 || this.isTainted) {
      this.#deps.drops.stray++;
      return;
    }
    const isEarly = this.#unidentified.has(only) && this.#pending.first() !== undefined;
    if (event.end === "finished" && isEarly) {
      this.#pendingEnd = { run: only, event };
      return;
    }
    if (event.end !== "finished") this.#markWithoutIds(only);
    this.#deliver(only, event);
  }

  #running(): readonly Run[] {
    return [...this.#runs].filter((run) => run.hasStarted && !run.hasEnded);
  }

  #markWithoutIds(run: Run): void {
    this.#withoutIds.add(run);
    this.lacksIds = true;
  }

  #setOwner(run: Run, id: string, event = this.#pending.take(id)): void {
    if (this.#adopter === run) this.#adopter = undefined;
    this.#owners.set(id, run);
    if (event) this.#deliver(run, event);
  }

  #adopt(run: Run): void {
    if (this.#lateEndMarks.isRunUnidentified) return this.#failAmbiguous();
    const first = this.#pending.first();
    if (first === undefined) this.#adopter = run;
    else this.#setOwner(run, first);
  }

  #failUnidentified(run: Run): void {
    this.#deps.sharing.disable();
    run.fail(new UpstreamError("bad-response", "the service no longer says which execution is whose"));
  }

  #deliver(run: Run, event: RunnerEvent): void {
    if (!run.onEvent(event)) {
      this.#deps.drops.late++;
      return;
    }
    const isChunk = event.end === "completed";
    if ((isChunk || event.failure !== undefined) && !this.#endMarksHaveIds)
      this.#lateEndMarks.expect(isChunk);
    if (
      event.end &&
      event.id !== undefined &&
      this.#answeredIds.has(event.id) &&
      !this.#withoutIds.has(run)
    ) {
      this.#deps.sharing.enable();
    }
  }

  #release(id: string): void {
    this.#owners.delete(id);
    this.#answeredIds.delete(id);
    this.#deps.endedIds.add(id);
  }
}

/** Counts of the events that were dropped, by reason. */
export interface DropCounters {
  /** Events of runs that had ended or were abandoned. */
  late: number;
  /** Events that could not be attributed to a run. */
  stray: number;
  /** Pending events that were too many or too old. */
  overflowed: number;
  /** Events of other names, and unreadable ones. */
  unknown: number;
}

/** Creates counters that are all 0. */
export function newDropCounters(): DropCounters {
  return { late: 0, stray: 0, overflowed: 0, unknown: 0 };
}
