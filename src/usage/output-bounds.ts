import type { ModelCatalog } from "../targets/model-catalog.ts";
import type { OutputBounds } from "./token-estimate.ts";
import type { Target } from "../targets/route-table.ts";

/**
 * The longest answer of a model that doesn't say its own, in tokens. A request that names a larger bound must not hold
 * all that its key may use.
 */
const DEFAULT_LONGEST = 32_768;

/** What bounds answers whose requests don't bound them. */
interface OutputLimits {
  readonly catalog: ModelCatalog;
  /** The tokens that are reserved for such an answer. */
  readonly outputEstimate: number;
}

/** How long an answer to a request may be, whichever of the targets gives it. */
export function outputBounds(
  targets: readonly Target[],
  { catalog, outputEstimate }: OutputLimits,
): OutputBounds {
  let longest = 0;
  for (const { upstream, model } of targets) {
    const { output } = catalog.capabilities(upstream, model);
    longest = Math.max(longest, isLength(output) ? output : DEFAULT_LONGEST);
  }
  return { estimate: outputEstimate, longest };
}

/** A plugin need not be written in TypeScript, and a length may come from an upstream's list. */
function isLength(length: unknown): length is number {
  return Number.isSafeInteger(length) && Number(length) > 0;
}
