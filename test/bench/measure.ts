import type { Outcome } from "./client/job.ts";
import type { Contender, ContenderName } from "./contenders/contender.ts";
import type { Settings } from "./settings.ts";

/** What a piece of work cost the process under test. */
export interface Cost<T> {
  readonly result: T;
  /** CPU time in µs; NaN without a process. */
  readonly cpu: number;
}

/** Does the work, and reads the process's CPU time before and after it. */
export async function costOf<T>(
  { server }: Contender,
  work: () => Promise<T>,
  { sizes }: Pick<Settings, "sizes">,
): Promise<Cost<T>> {
  const before = server?.cpuSeconds ?? NaN;
  const result = await work();
  await Bun.sleep(sizes.settle);
  return { result, cpu: ((server?.cpuSeconds ?? NaN) - before) * 1e6 };
}

/** Measures round by round, each contender once a round: A B C A B C …, so that a noisy minute hits all alike. */
export async function interleaved<T>(
  contenders: readonly Contender[],
  rounds: number,
  measure: (contender: Contender) => Promise<T>,
): Promise<ReadonlyMap<ContenderName, readonly T[]>> {
  const measured = new Map<ContenderName, T[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) measured.get(contender.name)?.push(await measure(contender));
  }
  return measured;
}

/** One number of each measurement, by contender; contenders for which it is no number are left out. */
export function pick<T>(
  measured: ReadonlyMap<ContenderName, readonly T[]>,
  value: (measurement: T) => number,
): Partial<Record<ContenderName, readonly number[]>> {
  const picked = [...measured].map(([name, all]) => [name, all.map(value).filter(Number.isFinite)] as const);
  return Object.fromEntries(picked.filter(([, values]) => values.length > 0));
}

/** The share of answers that were complete and exact, in per cent; notes why others were not. */
export function completeness({ name }: Contender, outcome: Outcome, settings: Settings): number {
  const { complete, failed, failures } = outcome;
  if (failed > 0) settings.note(`${name}: ${failed} of ${complete + failed} failed: ${failures.join("; ")}`);
  return (100 * complete) / (complete + failed);
}
