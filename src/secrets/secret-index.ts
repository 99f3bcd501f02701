import type { CanonicalText } from "../json/canonical-text.ts";
import {
  canonicalText,
  decoded,
  ESCAPE,
  FULL_WIDTH,
  lengthOf,
  readAt,
  VALUES,
  valueOf,
} from "../json/canonical-text.ts";
import type { SecretForm } from "./secret-forms.ts";
import { formsOf, isAlphanumeric, isLeak, SHORTEST } from "./secret-forms.ts";

/** Length of the windows whose hashes are indexed, in characters. */
const WINDOW = 8;
/** Sixteen times an odd number: in 32 bits a character's contribution is shifted out after `WINDOW` steps. */
const FACTOR = 0x9e3779b0;
/** Hash contribution by the value of a canonical character. */
const MIXED = Int32Array.from({ length: 37 }, (_, value) => Math.imul(value, 0x85ebca6b) ^ (value << 7));

const LEAST_MARK_BITS = 16;
const MOST_MARK_BITS = 22;

/** A range of a text, from index `from` up to `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Finds secrets, their encoded forms and parts of them in a text. A text without secrets is scanned once, whatever the number
 * of secrets.
 */
export class SecretIndex {
  /** By the hash of each of their windows; several share one where they begin or end alike. */
  readonly #secretsByHash = new Map<number, string | Set<string>>();
  /** Bloom filter of the hashes by their first bits, which decides at nearly every character. */
  #marks = new Uint8Array(2 ** LEAST_MARK_BITS);
  #markBits = LEAST_MARK_BITS;
  /** Secrets with too few letters and digits for a window: they are searched for literally. */
  readonly #short = new Map<string, readonly string[]>();

  add(secret: string): void {
    const forms = formsOf(secret);
    if ((forms[0]?.text.length ?? 0) < WINDOW) {
      this.#short.set(secret, [secret, JSON.stringify(secret).slice(1, -1)]);
    }
    for (const hash of hashesOf(forms)) {
      const known = this.#secretsByHash.get(hash);
      if (known instanceof Set) known.add(secret);
      else if (known !== secret)
        this.#secretsByHash.set(hash, known === undefined ? secret : new Set([known, secret]));
      this.#marks[hash >>> (32 - this.#markBits)] = 1;
    }
    const bits = Math.ceil(Math.log2(this.#secretsByHash.size * 16));
    if (bits > this.#markBits && bits <= MOST_MARK_BITS) this.#mark(bits);
  }

  delete(secret: string): void {
    this.#short.delete(secret);
    for (const hash of hashesOf(formsOf(secret))) {
      const known = this.#secretsByHash.get(hash);
      if (known instanceof Set) known.delete(secret);
      if (known === secret || (known instanceof Set && known.size === 0)) this.#secretsByHash.delete(hash);
    }
  }

  /** Returns the ranges of a text to mask, sorted and disjoint. */
  spansIn(text: string): readonly Span[] {
    const spans: Span[] = [];
    for (const written of this.#short.values()) for (const each of written) addAll(spans, text, each);
    if (this.#mayHold(text)) this.#addForms(spans, text);
    return spans.length > 1 ? mergeSpans(spans) : spans;
  }

  #mark(bits: number): void {
    this.#markBits = bits;
    this.#marks = new Uint8Array(2 ** bits);
    for (const hash of this.#secretsByHash.keys()) this.#marks[hash >>> (32 - bits)] = 1;
  }

  /** Returns whether the text has a window of a secret. */
  #mayHold(text: string): boolean {
    // Locals instead of `this`: halves the cost per character.
    const marks = this.#marks;
    const shift = 32 - this.#markBits;
    let hash = 0;
    for (let at = 0; at < text.length;) {
      const unit = text.charCodeAt(at);
      let value = 0;
      if (unit < 128) value = VALUES[unit] ?? 0;
      else if (unit >= FULL_WIDTH) value = decoded(unit);
      if (value === ESCAPE) {
        const read = readAt(text, at);
        value = valueOf(read);
        at += lengthOf(read);
      } else at++;
      if (value === 0) continue;
      hash = next(hash, value);
      if (marks[hash >>> shift] === 1 && this.#secretsByHash.has(hash)) return true;
    }
    return false;
  }

  #addForms(spans: Span[], original: string): void {
    const canonical = canonicalText(original);
    const forms = new Map<string, readonly SecretForm[]>();
    let hash = 0;
    let covered = 0;
    for (let end = 1; end <= canonical.text.length; end++) {
      hash = next(hash, valueOf(readAt(canonical.text, end - 1)));
      if (end < WINDOW || end <= covered) continue;
      const found = this.#secretsByHash.get(hash) ?? [];
      for (const secret of typeof found === "string" ? [found] : found) {
        const known = forms.get(secret) ?? formsOf(secret);
        forms.set(secret, known);
        const match = longestLeak({ secret, forms: known }, { original, canonical, at: end - WINDOW });
        if (!match) continue;
        covered = Math.max(covered, match.to);
        spans.push(spanOf(match, original, canonical));
      }
    }
  }
}

function next(hash: number, value: number): number {
  return (Math.imul(hash, FACTOR) + (MIXED[value] ?? 0)) | 0;
}

function hashesOf(forms: readonly SecretForm[]): ReadonlySet<number> {
  const hashes = new Set<number>();
  for (const { text, encoding } of forms) {
    // Every part that is long enough to be masked contains a sampled window.
    const step = SHORTEST[encoding] - WINDOW + 1;
    let hash = 0;
    for (let end = 1; end <= text.length; end++) {
      hash = next(hash, valueOf(readAt(text, end - 1)));
      if (end < WINDOW) continue;
      if ((end - WINDOW) % step === 0 || end === text.length) hashes.add(hash);
    }
  }
  return hashes;
}

/** A window of a secret in a searched text. */
interface TextPosition {
  readonly original: string;
  readonly canonical: CanonicalText;
  readonly at: number;
}

interface SecretForms {
  readonly secret: string;
  readonly forms: readonly SecretForm[];
}

interface Leak extends Span {
  readonly encoding: SecretForm["encoding"];
}

/** Returns the longest part of a secret's form around a window that must be masked. */
function longestLeak(
  { secret, forms }: SecretForms,
  { original, canonical, at }: TextPosition,
): Leak | undefined {
  let longest: Leak | undefined;
  const window = canonical.text.slice(at, at + WINDOW);
  for (const form of forms) {
    for (let own = form.text.indexOf(window); own >= 0; own = form.text.indexOf(window, own + 1)) {
      let before = 0;
      while (before < own && before < at && form.text[own - before - 1] === canonical.text[at - before - 1])
        before++;
      let length = WINDOW;
      while (own + length < form.text.length && form.text[own + length] === canonical.text[at + length])
        length++;
      const [from, to] = [at - before, at + length];
      if (longest && to - from <= longest.to - longest.from) continue;
      const [start, end] = [canonical.starts[from] ?? 0, canonical.ends[to - 1] ?? 0];
      const match = {
        form,
        from: own - before,
        to: own + length,
        written: original.slice(start, end),
        isWithinWord: isAlphanumeric(original[start - 1]) || isAlphanumeric(original[end]),
      };
      if (isLeak(match, secret)) longest = { from, to, encoding: form.encoding };
    }
  }
  return longest;
}

/** Returns the range to mask: for encoded forms the whole word, whose ends may hold bits of neighbours. */
function spanOf({ from, to, encoding }: Leak, original: string, canonical: CanonicalText): Span {
  let [start, end] = [canonical.starts[from] ?? 0, canonical.ends[to - 1] ?? 0];
  if (encoding !== "plain") {
    const isOfWord = (character: string | undefined) => /^[\w+/=-]$/.test(character ?? "");
    while (isOfWord(original[start - 1])) start--;
    while (isOfWord(original[end])) end++;
  }
  return { from: start, to: end };
}

function addAll(spans: Span[], text: string, secret: string): void {
  for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + secret.length))
    spans.push({ from: at, to: at + secret.length });
}

/** Sorts ranges and merges overlapping ones. */
export function mergeSpans(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of [...spans].sort((one, other) => one.from - other.from)) {
    const last = merged.at(-1);
    if (last && span.from < last.to)
      merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
    else merged.push(span);
  }
  return merged;
}
