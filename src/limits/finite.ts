/**
 * Returns an amount that may be added to a sum. Throws RangeError for NaN and Infinity: a sum that has taken one never
 * recovers, and every comparison with a limit would be wrong from then on.
 */
export function finite(amount: number): number {
  if (Number.isFinite(amount)) return amount;
  throw new RangeError(`${amount} can't be added to a sum`);
}
