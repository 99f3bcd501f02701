import { finite } from "./finite.ts";

/** Entries that a log has room for before it first grows; a power of two. */
const FIRST_ROOM = 8;

/** So many entries are kept each by itself. */
const MOST_SINGLE = 4_096;

/**
 * What was taken within the last `length` ms: a log of times and amounts whose oldest entries leave as time passes.
 * All methods take the present time, in ms, which must never go back. What is taken at the time t counts until just
 * before t + length. In a log of thousands of entries what follows within a 4,096th of the length is put together,
 * and counts as long as the last of it: never too short, and the log takes at most 128 KiB.
 */
export class SlidingSum {
  readonly #length: number;
  #times = new Float64Array(FIRST_ROOM);
  #amounts = new Float64Array(FIRST_ROOM);
  /** Entries are numbered from 0; where one stands is its number modulo the room, which is a power of two. */
  #oldest = 0;
  #next = 0;
  #sum = 0;
  /** When the newest entry began. */
  #newest = -Infinity;

  constructor(length: number) {
    this.#length = length;
  }

  /** Logs `amount` and gives the entry's number, which may be that of others, too. Throws RangeError if it isn't finite. */
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
   * Adds to an entry's amount, or takes from it; its time stays. Nothing happens to one that has left. Throws RangeError
   * if `by` isn't finite.
   */
  change(entry: number, by: number): void {
    if (entry < this.#oldest) return;
    const index = entry & (this.#times.length - 1);
    this.#sum += finite(by);
    this.#amounts[index] = (this.#amounts[index] ?? 0) + by;
  }

  /** The sum of all entries that still count. */
  total(now: number): number {
    const mask = this.#times.length - 1;
    while (this.#oldest < this.#next && (this.#times[this.#oldest & mask] ?? 0) + this.#length <= now) {
      this.#sum -= this.#amounts[this.#oldest & mask] ?? 0;
      this.#oldest += 1;
    }
    return this.#sum;
  }

  /** Whether no entry counts any more, not even one of 0 whose amount may yet be replaced. */
  isEmpty(now: number): boolean {
    this.total(now);
    return this.#oldest === this.#next;
  }

  /** Whole ms until the sum is at most `most` if nothing is added: 0 if it is so now. */
  waitFor(most: number, now: number): number {
    let sum = this.total(now);
    let entry = this.#oldest;
    while (sum > most && entry < this.#next) sum -= this.#amounts[entry++ & (this.#times.length - 1)] ?? 0;
    return entry === this.#oldest ? 0 : this.#leavesIn(entry - 1, now);
  }

  /** Whole ms until every entry has left. */
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
