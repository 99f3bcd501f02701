import { MADE_KEYS } from "./keyring.ts";

// Shorter ones would tear holes into ordinary words.
const SHORTEST_SECRET = 6;
// Credentials rotate: those that were replaced long ago are good for nothing, and need not be remembered.
const MAX_ROTATING = 1_000;
const MASK = "[redacted]";

/**
 * Knows the values that must never be seen and takes them out of a text: logs, errors, status. Keys made at run time
 * are known by their form, whoever holds them.
 */
export class Redactor {
  readonly #lasting = new Set<string>();
  readonly #rotating = new Set<string>();

  /** A secret of the configuration, or a key whose hash is in it. */
  addLasting(secret: string): void {
    if (secret.length < SHORTEST_SECRET) return;
    for (const form of formsOf(secret)) this.#lasting.add(form);
  }

  /** A secret that an upstream came by; of these the latest are remembered. */
  add(secret: string): void {
    if (secret.length < SHORTEST_SECRET) return;
    for (const form of formsOf(secret)) {
      this.#rotating.delete(form);
      this.#rotating.add(form);
    }
    for (const oldest of this.#rotating) {
      if (this.#rotating.size <= MAX_ROTATING) break;
      this.#rotating.delete(oldest);
    }
  }

  readonly redact = (text: string): string => {
    let clean = text.replace(MADE_KEYS, MASK);
    for (const secrets of [this.#lasting, this.#rotating]) {
      for (const secret of secrets) if (clean.includes(secret)) clean = clean.replaceAll(secret, MASK);
    }
    return clean;
  };
}

/** As it is, and as it stands within JSON: texts are cleaned after they were put into a line. */
function formsOf(secret: string): string[] {
  const escaped = JSON.stringify(secret).slice(1, -1);
  return escaped === secret ? [secret] : [secret, escaped];
}
