import type { TSchema } from "@sinclair/typebox";
import { isSecret } from "../src/contract/options.ts";
import type { Problem } from "./problem.ts";
import { checkable } from "./schema/checkable.ts";
import { convert, withDefaults } from "./schema/coerce.ts";
import { found, whyUnsendable } from "./schema/describe.ts";
import { diagnose, mismatch } from "./schema/diagnose.ts";
import { formOf } from "./schema/forms.ts";
import type { Form } from "./schema/forms.ts";
import { changeParts, within } from "./schema/walk.ts";
import type { Spot } from "./schema/walk.ts";

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
 * `value` itself is not changed.
 */
export function checkValue(schema: TSchema, value: unknown, at: Spot): Checked {
  const usable = checkable(schema);
  const filled = withDefaults(usable, convert(usable, value, at));
  const reader = new Reader();
  const read = reader.read(usable, filled, at);
  const wrong = diagnose(usable, filled, at);
  const paths = new Set(wrong.map(({ path }) => path));
  return {
    value: read,
    problems: [...wrong, ...reader.problems.filter(({ path }) => !paths.has(path))],
    secrets: reader.secrets,
  };
}

/** Turns durations, sizes and dates into numbers, and collects secrets, in what may yet be wrong. */
class Reader {
  readonly problems: Problem[] = [];
  readonly secrets: string[] = [];

  read(schema: TSchema, value: unknown, spot: Spot): unknown {
    if (spot.document.node(spot.path)?.kind === "scalar" && spot.document.isBroken(spot.path)) return value;
    const form = formOf(schema);
    if (form && (typeof value === "string" || Number.isInteger(value))) {
      return this.#number(form, schema, { value: value as string | number, spot });
    }
    if (isSecret(schema) && typeof value === "string") this.secrets.push(value);
    if (typeof value === "string") this.#checkSendable(schema, value, spot);
    return changeParts(schema, value, (part, inner, step) =>
      this.read(part, inner, step === undefined ? spot : within(spot, step)),
    );
  }

  #checkSendable(schema: TSchema, value: string, spot: Spot): void {
    const why = whyUnsendable(schema, value);
    if (why === undefined) return;
    const message = `${found(schema, value, spot)} can't be sent: ${why}`;
    this.problems.push(spot.document.problem(spot.path, { message }));
  }

  #number(form: Form, schema: TSchema, at: { value: string | number; spot: Spot }): unknown {
    const number = form.read(at.value);
    if (number === undefined) {
      this.problems.push(mismatch(schema, at.value, at.spot));
      return at.value;
    }
    const { minimum = -Infinity, maximum = Infinity } = schema as { minimum?: number; maximum?: number };
    if (number < minimum || number > maximum) {
      const least = minimum === 1 ? "more than 0" : `at least ${form.write(minimum)}`;
      const limit = number < minimum ? least : `at most ${form.write(maximum)}`;
      this.problems.push(at.spot.document.problem(at.spot.path, { message: `expected ${limit}` }));
    }
    return number;
  }
}
