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
