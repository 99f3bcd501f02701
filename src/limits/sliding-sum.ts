import { finite } from "./finite.ts";

/** Initial capacity in entries; a power of two. */
const FIRST_ROOM = 8;

/** Entries up to which each is kept separately. */
const MOST_SINGLE = 4_096;

/**
 * Sums the amounts of the last `length` ms. All methods take the current time in ms, which must never decrease. An amount
 * added at the time t counts until just before t + length. From 4,096 entries on, amounts within a 4,096th of the length
 * share an entry and expire with its last one: never too early, in at most 128 KiB.
 */
export class SlidingSum {
  readonly #length: number;
  #times = new Float64Array(FIRST_ROOM);
  #amounts = new Float64Array(FIRST_ROOM);
  /** Entries are numbered from 0; an entry's index is its number modulo the capacity. */
  #oldest = 0;
  #next = 0;
  #sum = 0;
  /** When the newest entry began. */
  #newest = -Infinity;

  constructor(length: number) {
    this.#length = length;
  }

  /** Adds `amount` and returns the entry's number, which several may share. Throws RangeError if it isn't finite. */
  add(amount: number, now: number): number {
    this.#sum += finite(amount);
    if (this.#next - this.#oldest >= MOST_SINGLE && now - this.#newest < this.#length / MOST_SINGLE) {
      const newest = this.#next - 1;
      const index = newest & (this.#times.length - 1);
      this.#times[index] = now;
      this.#amounts[index] = (this.#amounts[index] ?? 0) + amount;
      return newest;
    }
    this.#newest = now;
    if (this.#next - this.#oldest === this.#times.length) this.#grow();
    const entry = this.#next++;
    const index = entry & (this.#times.length - 1);
    this.#times[index] = now;
    this.#amounts[index] = amount;
    return entry;
  }

  /**
   * Changes an entry's amount by `by` and keeps its time. Has no effect on an expired entry. Throws RangeError if `by`
   * isn't finite.
   */
  change(entry: number, by: number): void {
    if (entry < this.#oldest) return;
    const index = entry & (this.#times.length - 1);
    this.#sum += finite(by);
    this.#amounts[index] = (this.#amounts[index] ?? 0) + by;
  }

  /** Returns the sum of the unexpired entries. */
  total(now: number): number {
    const mask = this.#times.length - 1;
    while (this.#oldest < this.#next && (this.#times[this.#oldest & mask] ?? 0) + this.#length <= now) {
      this.#sum -= this.#amounts[this.#oldest & mask] ?? 0;
      this.#oldest += 1;
    }
    return this.#sum;
  }

  /** Returns whether all entries have expired, also those of 0, whose amount may still change. */
  isEmpty(now: number): boolean {
    this.total(now);
    return this.#oldest === this.#next;
  }

  /** Returns the whole ms until the sum is at most `most` without additions; 0 if it is already. */
  waitFor(most: number, now: number): number {
    let sum = this.total(now);
    let entry = this.#oldest;
    while (sum > most && entry < this.#next) sum -= this.#amounts[entry++ & (this.#times.length - 1)] ?? 0;
    return entry === this.#oldest ? 0 : this.#leavesIn(entry - 1, now);
  }

  /** Returns the whole ms until all entries have expired. */
  clearIn(now: number): number {
    return this.total(now) === 0 ? 0 : this.#leavesIn(this.#next - 1, now);
  }

  #leavesIn(entry: number, now: number): number {
    return Math.ceil((this.#times[entry & (this.#times.length - 1)] ?? 0) + this.#length - now);
  }

  #grow(): void {
    const [times, amounts, mask] = [this.#times, this.#amounts, this.#times.length - 1];
    this.#times = new Float64Array(times.length * 2);
    this.#amounts = new Float64Array(times.length * 2);
    for (let entry = this.#oldest; entry < this.#next; entry++) {
      this.#times[entry & (this.#times.length - 1)] = times[entry & mask] ?? 0;
      this.#amounts[entry & (this.#times.length - 1)] = amounts[entry & mask] ?? 0;
    }
  }
}
