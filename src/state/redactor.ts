import { MADE_KEYS } from "./keyring.ts";
import { SecretIndex } from "./secret-index.ts";

// Shorter ones would tear holes into ordinary words.
const SHORTEST_SECRET = 6;
// Credentials rotate: those that were replaced long ago are good for nothing, and need not be remembered.
const MAX_ROTATING = 1_000;
const MASK = "[redacted]";
/** What stands where a text was cut. */
const CUT = "…";

/**
 * Knows the values that must never be seen and takes them out of a text: logs, errors, status. Keys made at run time
 * are known by their form, whoever holds them.
 */
export class Redactor {
  readonly #lasting = new Set<string>();
  readonly #rotating = new Set<string>();
  /** All of them. */
  readonly #index = new SecretIndex();

  /** A secret of the configuration, or a key whose hash is in it. */
  addLasting(secret: string): void {
    if (secret.length < SHORTEST_SECRET) return;
    for (const form of formsOf(secret)) {
      this.#lasting.add(form);
      this.#index.add(form);
    }
  }

  /** A secret that an upstream came by; of these the latest are remembered. */
  add(secret: string): void {
    if (secret.length < SHORTEST_SECRET) return;
    for (const form of formsOf(secret)) {
      this.#rotating.delete(form);
      this.#rotating.add(form);
      this.#index.add(form);
    }
    for (const oldest of this.#rotating) {
      if (this.#rotating.size <= MAX_ROTATING) break;
      this.#rotating.delete(oldest);
      if (!this.#lasting.has(oldest)) this.#index.delete(oldest);
    }
  }

  readonly redact = (text: string): string => {
    let clean = text.replace(MADE_KEYS, MASK);
    for (const secret of this.#index.in(clean)) clean = clean.replaceAll(secret, MASK);
    return clean.includes(CUT) ? this.#withoutBeginnings(clean) : clean;
  };

  /** Masks what is left of secrets in which a text was cut. */
  #withoutBeginnings(text: string): string {
    const last = text.lastIndexOf(CUT);
    const parts = text.slice(0, last).split(CUT);
    const clean = parts.map((part) => {
      let kept = part.length;
      for (const secrets of [this.#lasting, this.#rotating])
        for (const secret of secrets) kept = Math.min(kept, startOfRest(part, secret));
      return kept < part.length ? part.slice(0, kept) + MASK : part;
    });
    return clean.join(CUT) + text.slice(last);
  }
}

/** As it is, and as it stands within JSON: texts are cleaned after they were put into a line. */
function formsOf(secret: string): string[] {
  const escaped = JSON.stringify(secret).slice(1, -1);
  return escaped === secret ? [secret] : [secret, escaped];
}

/** Where the beginning of a secret starts with which a text ends; its length if it doesn't. */
function startOfRest(text: string, secret: string): number {
  const head = secret.slice(0, SHORTEST_SECRET);
  const tail = text.slice(-secret.length);
  for (let at = tail.indexOf(head); at >= 0; at = tail.indexOf(head, at + 1)) {
    if (secret.startsWith(tail.slice(at))) return text.length - tail.length + at;
  }
  return text.length;
}
