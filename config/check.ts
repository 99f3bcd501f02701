import type { TSchema } from "@sinclair/typebox";
import { isSecret } from "../src/contract/options.ts";
import type { Problem } from "./problem.ts";
import { toCheckable } from "./schema/checkable.ts";
import { convert, withDefaults } from "./schema/coerce.ts";
import { describeFound, explainUnsendable } from "./schema/describe.ts";
import { diagnose, mismatch } from "./schema/diagnose.ts";
import { numberFormatOf } from "./schema/value-types.ts";
import type { NumberFormat } from "./schema/value-types.ts";
import { changeParts, partLocation } from "./schema/walk.ts";
import type { Location } from "./schema/walk.ts";

/** The result of a check; `value` can be relied on only when there are no problems. */
export interface CheckResult {
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** The values whose schema is made by `Secret()`. */
  readonly secrets: readonly string[];
}

/**
 * Checks a part of a configuration, `value` at `at.path`, with a TypeBox schema: what came from the environment is
 * converted to the schema's type, defaults are filled in, all mistakes are reported, durations become milliseconds.
 * `value` itself is not changed.
 */
export function checkValue(schema: TSchema, value: unknown, at: Location): CheckResult {
  const usable = toCheckable(schema);
  const filled = withDefaults(usable, convert(usable, value, at));
  const reader = new ValueReader();
  const read = reader.read(usable, filled, at);
  const wrong = diagnose(usable, filled, at);
  const paths = new Set(wrong.map(({ path }) => path));
  return {
    value: read,
    problems: [...wrong, ...reader.problems.filter(({ path }) => !paths.has(path))],
    secrets: reader.secrets,
  };
}

/** Turns durations, sizes and dates into numbers, and collects secrets; the value may still have mistakes. */
class ValueReader {
  readonly problems: Problem[] = [];
  readonly secrets: string[] = [];

  read(schema: TSchema, value: unknown, location: Location): unknown {
    if (
      location.document.node(location.path)?.kind === "scalar" &&
      location.document.isInvalid(location.path)
    )
      return value;
    const form = numberFormatOf(schema);
    if (form && (typeof value === "string" || Number.isInteger(value))) {
      return this.#number(form, schema, { value: value as string | number, location });
    }
    if (isSecret(schema) && typeof value === "string") this.secrets.push(value);
    if (typeof value === "string") this.#checkSendable(schema, value, location);
    return changeParts(schema, value, (part, inner, step) =>
      this.read(part, inner, step === undefined ? location : partLocation(location, step)),
    );
  }

  #checkSendable(schema: TSchema, value: string, location: Location): void {
    const why = explainUnsendable(schema, value);
    if (why === undefined) return;
    const message = `${describeFound(schema, value, location)} can't be sent: ${why}`;
    this.problems.push(location.document.problem(location.path, { message }));
  }

  #number(form: NumberFormat, schema: TSchema, at: { value: string | number; location: Location }): unknown {
    const number = form.parse(at.value);
    if (number === undefined) {
      this.problems.push(mismatch(schema, at.value, at.location));
      return at.value;
    }
    const { minimum = -Infinity, maximum = Infinity } = schema as { minimum?: number; maximum?: number };
    if (number < minimum || number > maximum) {
      const least = minimum === 1 ? "more than 0" : `at least ${form.format(minimum)}`;
      const limit = number < minimum ? least : `at most ${form.format(maximum)}`;
      this.problems.push(at.location.document.problem(at.location.path, { message: `expected ${limit}` }));
    }
    return number;
  }
}
