import type { ModelCatalog } from "../targets/model-catalog.ts";
import type { OutputBounds } from "./token-estimate.ts";
import type { Target } from "../targets/route-table.ts";

/**
 * Assumed longest answer of a model that doesn't state it, in tokens. It bounds what a request with a larger `max_tokens`
 * can reserve.
 */
const DEFAULT_LONGEST = 32_768;

/** The sources of output bounds. */
interface OutputLimits {
  readonly catalog: ModelCatalog;
  /** Tokens reserved for an answer whose request doesn't bound it. */
  readonly outputEstimate: number;
}

/** Returns the output bounds over all targets of a request. */
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

/** The length may come from an upstream's list, and plugins may be written in JavaScript. */
function isLength(length: unknown): length is number {
  return Number.isSafeInteger(length) && Number(length) > 0;
}
