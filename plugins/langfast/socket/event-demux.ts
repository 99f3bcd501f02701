import { UpstreamError } from "modelyard/plugin";
import type { Clock } from "modelyard/kit";
import type { RunnerEvent } from "../run/events.ts";
import { HeldEvents } from "./pending-events.ts";
import type { LateMark, LateMarks } from "./late-end-marks.ts";
import type { RecentIds } from "./recent-ids.ts";
import type { Listener } from "../run/run.ts";
import type { Sharing } from "../auth/sharing.ts";

/** What a router shares with those of other sockets. */
export interface RouterParts {
  readonly clock: Clock;
  readonly sharing: Sharing;
  readonly tally: Tally;
  /** Executions that are over, on whichever socket they were. */
  readonly over: RecentIds;
}

/**
 * Says whose each event on one socket is. Where there are ids, they decide. An event without one is given to
 * a run only if it can't be another's; what belongs to nobody is dropped and counted, never guessed.
 */
export class Router {
  readonly #runs = new Set<Listener>();
  /** Executions and the runs that they belong to. */
  readonly #owners = new Map<string, Listener>();
  /** Runs whose executions aren't known yet. */
  readonly #unnamed = new Set<Listener>();
  /** A run that was given no ids: the next unknown execution is its own. */
  #adopter: Listener | undefined;
  /** Executions that the answer to a request named, as opposed to adopted ones. */
  readonly #named = new Set<string>();
  /** Runs that had an event without an id. */
  readonly #nameless = new WeakSet<Listener>();
  /** Second end marks of the user's runs, on all of the user's sockets. */
  readonly #lateMarks: LateMarks;
  /** Those that came on this socket. */
  readonly #seenMarks = new WeakSet<LateMark>();
  /** Whether `completion_finished` comes with an id here, so that it can't be taken for another run's. */
  #isMarkNamed = false;
  readonly #held: HeldEvents;
  /** An end mark without an id that came while the text before it was held. */
  #heldEnd: { readonly run: Listener; readonly event: RunnerEvent } | undefined;
  readonly #parts: RouterParts;

  /** Whether something may still come that can't be told from another run's: the socket is not to be used again. */
  isSpoilt = false;
  /** Whether that is because the service doesn't name its runs, so that each needs a socket of its own. */
  isNameless = false;

  constructor(parts: RouterParts, lateMarks: LateMarks) {
    this.#parts = parts;
    this.#lateMarks = lateMarks;
    this.#held = new HeldEvents(parts.clock);
  }

  get runs(): ReadonlySet<Listener> {
    return this.#runs;
  }

  join(run: Listener): void {
    this.#runs.add(run);
    this.#unnamed.add(run);
  }

  /** The run wants nothing more, whether it is over or not. */
  leave(run: Listener): void {
    if (!this.#runs.delete(run)) return;
    if (run.hasBegun && !run.hasEnded) {
      this.isSpoilt = true;
      if (!this.#isMarkNamed) this.#lateMarks.left();
    }
    if (this.#adopter === run) this.#adopter = undefined;
    if (this.#heldEnd?.run === run) this.#heldEnd = undefined;
    for (const [id, owner] of this.#owners) if (owner === run) this.#forget(id);
    this.#unnamed.delete(run);
    if (this.#unnamed.size === 0) this.#parts.tally.stray += this.#held.clear();
  }

  /** The upstream has said which executions are the run's: often one, in some variants none. */
  claim(run: Listener, ids: readonly string[]): void {
    if (!this.#runs.has(run)) return;
    this.#unnamed.delete(run);
    for (const id of ids) this.#named.add(id);
    if (ids.length > 0) for (const id of ids) this.#own(run, id);
    else if (run.isExclusive) this.#adopt(run);
    else this.#giveUp(run);
    const end = this.#heldEnd;
    if (end?.run !== run) return;
    this.#heldEnd = undefined;
    this.finished(end.event);
  }

  chunk(event: RunnerEvent): void {
    if (event.id === undefined) this.#namelessChunk(event);
    else this.#route(event.id, event);
  }

  finished(event: RunnerEvent): void {
    if (event.id !== undefined) {
      this.#isMarkNamed = true;
      this.#lateMarks.clear();
      return this.#route(event.id, event);
    }
    const late = this.#lateMarks.next(this.#seenMarks);
    if (late) this.#seenMarks.add(late);
    const meaning = late ? "late" : this.#lateMarks.meaning;
    if (meaning === "late") this.#parts.tally.late++;
    else if (meaning === "end") this.#toTheOnlyOne(event);
    else for (const run of this.#running()) run.fail(endOfNobody());
  }

  #route(id: string, event: RunnerEvent): void {
    const { tally } = this.#parts;
    const owner = this.#owners.get(id);
    if (owner) this.#deliver(owner, event);
    else if (this.#parts.over.has(id)) tally.late++;
    else if (this.#adopter) this.#own(this.#adopter, id, event);
    else if (this.#unnamed.size > 0) tally.overflowed += this.#held.add(id, event, this.#unnamed.size);
    else tally.stray++;
  }

  #namelessChunk(event: RunnerEvent): void {
    this.#parts.sharing.lose();
    this.#toTheOnlyOne(event);
  }

  /** For events that say not whose they are: only if there is no doubt. */
  #toTheOnlyOne(event: RunnerEvent): void {
    const [only, ...others] = this.#running();
    if (!only || others.length > 0 || this.isSpoilt) {
      this.#parts.tally.stray++;
      return;
    }
    const isEarly = this.#unnamed.has(only) && this.#held.first() !== undefined;
    if (event.end === "finished" && isEarly) {
      this.#heldEnd = { run: only, event };
      return;
    }
    if (event.end !== "finished") this.#markNameless(only);
    this.#deliver(only, event);
  }

  #running(): readonly Listener[] {
    return [...this.#runs].filter((run) => run.hasBegun && !run.hasEnded);
  }

  #markNameless(run: Listener): void {
    this.#nameless.add(run);
    this.isNameless = true;
  }

  #own(run: Listener, id: string, event = this.#held.take(id)): void {
    if (this.#adopter === run) this.#adopter = undefined;
    this.#owners.set(id, run);
    if (event) this.#deliver(run, event);
  }

  #adopt(run: Listener): void {
    const first = this.#held.first();
    if (first === undefined) this.#adopter = run;
    else this.#own(run, first);
  }

  #giveUp(run: Listener): void {
    this.#parts.sharing.lose();
    run.fail(new UpstreamError("bad-response", "the service no longer says which execution is whose"));
  }

  #deliver(run: Listener, event: RunnerEvent): void {
    if (!run.deliver(event)) {
      this.#parts.tally.late++;
      return;
    }
    const isChunk = event.end === "completed";
    if ((isChunk || event.failure !== undefined) && !this.#isMarkNamed) this.#lateMarks.expect(isChunk);
    if (event.end && event.id !== undefined && this.#named.has(event.id) && !this.#nameless.has(run)) {
      this.#parts.sharing.prove();
    }
  }

  #forget(id: string): void {
    this.#owners.delete(id);
    this.#named.delete(id);
    this.#parts.over.add(id);
  }
}

function endOfNobody(): UpstreamError {
  const why =
    "the service says that a run is over, and not which: another of the same user was left before its end";
  return new UpstreamError("bad-response", why);
}

/** What came from the prompt runner and reached nobody; counted, so that a change of the service is seen. */
export interface Tally {
  /** Of runs that had ended, or that were left. */
  late: number;
  /** Of no run that is known, or of which it can't be told whose they are. */
  stray: number;
  /** Held for a run whose id wasn't known yet, and dropped because they were too many or too old. */
  overflowed: number;
  /** Events of other names, and ones that can't be read. */
  unknown: number;
}

/** Nothing was dropped yet. */
export function newTally(): Tally {
  return { late: 0, stray: 0, overflowed: 0, unknown: 0 };
}
