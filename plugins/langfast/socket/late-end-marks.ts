import type { Clock } from "modelyard/kit";

/** For how long, in milliseconds, a mark is expected after the run has ended, or was left. */
const EXPECTED_FOR = 10_000;

/** The second end mark of one run. */
export interface LateMark {
  readonly until: number;
}

/**
 * The second end marks that may still come for a user's runs: the service sends what concerns a user to all of the
 * user's sockets, those included that were opened since.
 */
export class LateMarks {
  readonly #clock: Clock;
  #expected: LateMark[] = [];
  /** Whether runs end by their last chunk, so that the other mark alone is no run's end. */
  #endsByChunk = false;
  #leftUntil = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A run has ended by its last chunk, or failed: `completion_finished` may follow, and may look like any run's. */
  expect(isChunk: boolean): void {
    this.#endsByChunk ||= isChunk;
    const now = this.#clock.now();
    this.#expected = this.#expected.filter(({ until }) => until > now);
    this.#expected.push({ until: now + EXPECTED_FOR });
  }

  /** The oldest one that a socket may still get which has had those in `seen`. */
  next(seen: WeakSet<LateMark>): LateMark | undefined {
    const now = this.#clock.now();
    return this.#expected.find((mark) => mark.until > now && !seen.has(mark));
  }

  /** A run was left that may still go on. */
  left(): void {
    this.#leftUntil = this.#clock.now() + EXPECTED_FOR;
  }

  /** What a mark that says not whose it is means to a run whose last chunk hasn't come. */
  get meaning(): "end" | "late" | "unknown" {
    if (this.#clock.now() >= this.#leftUntil) return "end";
    return this.#endsByChunk ? "late" : "unknown";
  }

  /** None is expected any more. */
  clear(): void {
    this.#expected = [];
  }
}
