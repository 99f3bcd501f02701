import { Type } from "@sinclair/typebox";
import type { SchemaOptions, TSchema, TUnsafe } from "@sinclair/typebox";
import { Duration, isDuration } from "../../src/contract/options.ts";

/** 24 days, as timers of the platform can't wait for more than 2^31 - 1 ms. */
const LONGEST = 24 * 86_400_000;
const FORM = "x-modelyard-form";
const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const BYTES = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;
const SIZE = /^(\d+(?:\.\d+)?)(B|kB|KB|MB|GB|KiB|MiB|GiB)?$/;
const SHARE = /^(\d+(?:\.\d+)?)%$/;
const MOMENT = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(Z|[+-]\d{2}:\d{2})?$/;

/** A form in which numbers are written as text. */
export interface NumberFormat {
  /** The expected form in words. */
  readonly description: string;
  /** The hint for a value that has another form. */
  readonly hint: string;
  /** Returns the number, or `undefined` for a value that doesn't have this form. */
  parse(value: string | number): number | undefined;
  /** Formats a limit as people write it. */
  format(value: number): string;
}

const duration: NumberFormat = {
  description: "a duration such as 30s",
  hint: "a duration needs a unit: ms, s, m, h or d",
  parse: (value) => (typeof value === "string" ? parseDuration(value) : undefined),
  format: formatDuration,
};

const size: NumberFormat = {
  description: "a size such as 64MiB",
  hint: "write a whole number of bytes, or a number with KiB, MiB, GiB, KB, MB or GB",
  parse: parseSize,
  format: (value) => `${value} bytes`,
};

const share: NumberFormat = {
  description: "a share such as 20%",
  hint: "write a number from 0% to 100%",
  parse: parseShare,
  format: (value) => `${value * 100}%`,
};

const moment: NumberFormat = {
  description: "a date such as 2027-01-01 or 2027-01-01T12:00:00Z",
  hint: "write year-month-day",
  parse: (value) => (typeof value === "string" ? parseMoment(value) : undefined),
  format: (value) => new Date(value).toISOString(),
};

/** Makes the schema of a size, written `512KiB`, `64MiB`, `10MB` or as a number of bytes; read as bytes. */
export function Size(options: SchemaOptions = {}): TUnsafe<number> {
  return Type.Unsafe<number>({
    ...options,
    type: ["integer", "string"],
    pattern: SIZE.source,
    [FORM]: "size",
  });
}

/** Makes the schema of a share, written `20%`; read as 0.2. */
export function Share(options: SchemaOptions = {}): TUnsafe<number> {
  return Type.Unsafe<number>({ ...options, type: "string", pattern: SHARE.source, [FORM]: "share" });
}

/** Makes the schema of a moment, written `2027-01-01` (0:00 UTC) or `2027-01-01T12:00:00Z`; read as milliseconds since 1970. */
export function Moment(options: SchemaOptions = {}): TUnsafe<number> {
  return Type.Unsafe<number>({ ...options, type: "string", pattern: MOMENT.source, [FORM]: "moment" });
}

/** Schema options of a map in which an unknown key is a mistake. */
export const strict = { additionalProperties: false };

/** Makes the schema of a duration of more than 0 that a timer can wait for; `value` is its default. */
export function wait(value: string, description: string) {
  return Duration({ default: value, minimum: 1, maximum: LONGEST, description });
}

/** The schema of a model's name or of a pattern for names. */
export const ModelPattern = Type.String({
  minLength: 1,
  title: "a model's name or a pattern such as gpt-4o*",
});

/** Makes the schema of a list of at least one name or pattern. */
export function patterns(description: string) {
  return Type.Array(ModelPattern, { minItems: 1, description });
}

const FORMS: Readonly<Record<string, NumberFormat>> = { size, share, moment };

/** Returns the number format of a schema made by `Duration()`, `Size()`, `Share()` or `Moment()`. */
export function numberFormatOf(schema: TSchema): NumberFormat | undefined {
  return isDuration(schema) ? duration : FORMS[String(schema[FORM])];
}

function parseShare(value: string | number): number | undefined {
  const [, percent] = SHARE.exec(String(value)) ?? [];
  return percent === undefined || Number(percent) > 100 ? undefined : Number(percent) / 100;
}

function parseSize(value: string | number): number | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
  const [, amount, unit = "B"] = SIZE.exec(value) ?? [];
  if (amount === undefined) return undefined;
  const bytes = Math.round(Number(amount) * BYTES[unit as keyof typeof BYTES]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function parseMoment(value: string): number | undefined {
  const [, day, time = "T00:00", zone = "Z"] = MOMENT.exec(value) ?? [];
  if (day === undefined) return undefined;
  // Date.parse takes 30 February for 2 March.
  const midnight = Date.parse(`${day}T00:00Z`);
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return undefined;
  const at = Date.parse(day + time + zone);
  return Number.isNaN(at) ? undefined : at;
}

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
