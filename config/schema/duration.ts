const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Reads `250ms`, `30s`, `10m`, `24h` or `7d` as whole milliseconds; anything else is `undefined`. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = DURATION.exec(text) ?? [];
  if (amount === undefined) return undefined;
  const milliseconds = Math.round(Number(amount) * UNITS[unit as keyof typeof UNITS]);
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}

/** Writes milliseconds in the largest unit that needs no fraction: 90000 is `90s`, 600000 is `10m`. */
export function formatDuration(milliseconds: number): string {
  const whole = Math.round(milliseconds);
  const [unit, length] = Object.entries(UNITS)
    .toReversed()
    .find(([, length]) => whole !== 0 && whole % length === 0) ?? ["ms", 1];
  return `${whole / length}${unit}`;
}
