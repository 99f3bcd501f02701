import type { CanonicalText } from "../json/canonical-text.ts";
import { canonicalText } from "../json/canonical-text.ts";
import { isAlphanumeric, isOrdinary } from "./secret-forms.ts";
import type { Span } from "./secret-index.ts";

/** Matches marks of truncation, or of a key's removed middle. */
const CUTS = /(?:…|\*{2,}|\.{2,}|x{3,}|X{3,}|•{2,}|●{2,}|×{2,})+/g;
/** Each match of `CUTS` contains one of these, which are cheaper to search for. */
const CUT_MARKS = ["…", "**", "..", "xxx", "XXX", "••", "●●", "××"];
/** Shortest beginning or end that identifies a secret alone. */
const SHORTEST_END = 6;
/** Shortest beginning and end that identify it together, with `SHORTEST_END` characters in all. */
const SHORTEST_OF_BOTH = 2;
/** Search distance from a cut; longer parts are found by the index. */
const REACH = 40;

interface Secret {
  readonly value: string;
  readonly form: CanonicalText;
  /** Its canonical text, or that text backwards. */
  readonly key: string;
}

/** The beginning or the end of secrets beside a cut. */
interface SecretEnd extends Span {
  readonly secrets: readonly Secret[];
  readonly isOrdinary: boolean;
}

/** Finds the beginnings of secrets before cuts, and their ends after them: `sk-ab***yz`. */
export class CutSecrets {
  readonly #values: () => Iterable<string>;
  #byBeginning: readonly Secret[] | undefined;
  #byEnd: readonly Secret[] | undefined;

  constructor(values: () => Iterable<string>) {
    this.#values = values;
  }

  /** Must be called after the secrets have changed. */
  invalidate(): void {
    this.#byBeginning = undefined;
    this.#byEnd = undefined;
  }

  /** Returns the ranges of a text to mask. */
  spansIn(text: string): Span[] {
    const spans: Span[] = [];
    if (!CUT_MARKS.some((mark) => text.includes(mark))) return spans;
    for (const { index, 0: cut } of text.matchAll(CUTS)) {
      const before = this.#endingBefore(text, index);
      const after = this.#startingAfter(text, index + cut.length);
      const isBoth =
        before && after && sizeOf(before) + sizeOf(after) >= SHORTEST_END && agree(before, after);
      for (const end of [before, after])
        if (end && (isBoth || (sizeOf(end) >= SHORTEST_END && !end.isOrdinary))) spans.push(end);
    }
    return spans;
  }

  #endingBefore(text: string, cut: number): SecretEnd | undefined {
    this.#byBeginning ??= sorted([...this.#values()].map((value) => secretOf(value, false)));
    const start = Math.max(0, cut - REACH);
    const word = /\S*$/.exec(text.slice(start, cut))?.[0] ?? "";
    const canonical = canonicalText(word);
    for (let length = canonical.text.length; length >= SHORTEST_OF_BOTH; length--) {
      const secrets = startingWith(this.#byBeginning, canonical.text.slice(-length));
      if (secrets.length === 0) continue;
      const from = cut - word.length + (canonical.starts[canonical.text.length - length] ?? 0);
      const isOrdinary = secrets.every((secret) => isWord(secret, { text, from, to: cut }, [0, length]));
      return { from, to: cut, secrets, isOrdinary };
    }
    return undefined;
  }

  #startingAfter(text: string, cut: number): SecretEnd | undefined {
    this.#byEnd ??= sorted([...this.#values()].map((value) => secretOf(value, true)));
    const word = /^\S*/.exec(text.slice(cut, cut + REACH))?.[0] ?? "";
    const canonical = canonicalText(word);
    for (let length = canonical.text.length; length >= SHORTEST_OF_BOTH; length--) {
      const secrets = startingWith(this.#byEnd, backwards(canonical.text.slice(0, length)));
      if (secrets.length === 0) continue;
      const to = cut + (canonical.ends[length - 1] ?? 0);
      const isOrdinary = secrets.every((secret) =>
        isWord(secret, { text, from: cut, to }, [secret.key.length - length, secret.key.length]),
      );
      return { from: cut, to, secrets, isOrdinary };
    }
    return undefined;
  }
}

function secretOf(value: string, isBackwards: boolean): Secret {
  const form = canonicalText(value);
  return { value, form, key: isBackwards ? backwards(form.text) : form.text };
}

function sorted(secrets: Secret[]): readonly Secret[] {
  return secrets.sort((one, other) => (one.key < other.key ? -1 : 1));
}

function startingWith(secrets: readonly Secret[], beginning: string): readonly Secret[] {
  let [first, end] = [0, secrets.length];
  while (first < end) {
    const middle = (first + end) >>> 1;
    if ((secrets[middle]?.key ?? "") < beginning) first = middle + 1;
    else end = middle;
  }
  while (secrets[end]?.key.startsWith(beginning)) end++;
  return secrets.slice(first, end);
}

function agree(before: SecretEnd, after: SecretEnd): boolean {
  const values = new Set(after.secrets.map(({ value }) => value));
  return before.secrets.some(({ value }) => values.has(value));
}

function sizeOf({ from, to }: Span): number {
  return to - from;
}

function backwards(text: string): string {
  return text.split("").reverse().join("");
}

interface Occurrence extends Span {
  readonly text: string;
}

function isWord(
  { value, form }: Secret,
  { text, from, to }: Occurrence,
  [start, end]: readonly [number, number],
): boolean {
  const written = text.slice(from, to);
  const isWithinWord = isAlphanumeric(text[from - 1]) || isAlphanumeric(text[to]);
  return isOrdinary(
    { form: { ...form, encoding: "plain" }, from: start, to: end, written, isWithinWord },
    value,
  );
}
