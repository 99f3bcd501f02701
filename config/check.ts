import type { TSchema } from "@sinclair/typebox";
import type { ConfigDocument, Path } from "./document.ts";
import type { Problem } from "./problem.ts";

/** What a check found. `value` is only to be trusted when there are no problems. */
export interface Checked {
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** The values at `Secret()` places. */
  readonly secrets: readonly string[];
}

/**
 * Checks a part of a configuration, `value` at `at.path`, with a TypeBox schema: what came from the environment is
 * converted to the schema's type, defaults are filled in, all mistakes are reported, durations become milliseconds.
 */
export declare function checkValue(
  schema: TSchema,
  value: unknown,
  at: { readonly document: ConfigDocument; readonly path: Path },
): Checked;
