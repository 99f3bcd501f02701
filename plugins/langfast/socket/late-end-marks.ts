import type { Clock } from "modelyard/kit";

/** For how long an end mark is expected after its run has ended or was abandoned, in milliseconds. */
export const EXPECTED_MS = 10_000;

/** An expected second end mark of one run. */
export interface LateEndMark {
  readonly until: number;
}

/**
 * Tracks the second end marks that may still arrive for a user's runs. The service sends a user's events to all of the
 * user's sockets, including those opened later.
 */
export class LateEndMarks {
  readonly #clock: Clock;
  #expected: LateEndMark[] = [];
  /** Whether runs end with their last chunk, so that `completion_finished` alone ends no run. */
  #endsByChunk = false;
  #leftUntil = 0;
  #unidentifiedUntil = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Expects a `completion_finished` after a run that ended with its last chunk, or failed. */
  expect(isChunk: boolean): void {
    this.#endsByChunk ||= isChunk;
    const now = this.#clock.now();
    this.#expected = this.#expected.filter(({ until }) => until > now);
    this.#expected.push({ until: now + EXPECTED_MS });
  }

  /** Returns the oldest expected mark that isn't in `seen`, the marks that arrived on one socket. */
  next(seen: WeakSet<LateEndMark>): LateEndMark | undefined {
    const now = this.#clock.now();
    return this.#expected.find((mark) => mark.until > now && !seen.has(mark));
  }

  /** Called when a run was abandoned that may still go on. */
  onRunLeft(): void {
    this.#leftUntil = this.#clock.now() + EXPECTED_MS;
  }

  /** Called when a run was abandoned that may still go on and whose events may lack ids. */
  onUnidentifiedRunLeft(): void {
    this.#unidentifiedUntil = this.#clock.now() + EXPECTED_MS;
  }

  /** Whether events without ids may belong to an abandoned run. */
  get isRunUnidentified(): boolean {
    return this.#clock.now() < this.#unidentifiedUntil;
  }

  /** Returns what an end mark without an id means for a run whose last chunk hasn't arrived. */
  get meaningWithoutId(): "end" | "late" | "unknown" {
    if (this.#clock.now() >= this.#leftUntil) return "end";
    return this.#endsByChunk ? "late" : "unknown";
  }

  /** Clears the expected marks. */
  clear(): void {
    this.#expected = [];
  }
}
