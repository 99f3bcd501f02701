import { CutSecrets } from "./cut-secrets.ts";
import { MADE_KEYS } from "../keys/keyring.ts";
import type { Span } from "./secret-index.ts";
import { mergeSpans, SecretIndex } from "./secret-index.ts";

// Shorter ones would mask parts of ordinary words.
const SHORTEST_SECRET = 6;
// Credentials rotate: old ones are invalid and may be forgotten.
const MAX_ROTATING = 1_000;
const MAX_ROTATING_CHARACTERS = 256 * 1024;
const MASK = "[redacted]";
/** Characters of a message that are searched. */
const LONGEST_READ = 64 * 1024;
/** Longest message of an upstream that a client and the log get. */
const LONGEST_MESSAGE = 500;
/** Marks a truncated text. */
const CUT = "…";

/**
 * Masks secrets in logs, errors and status texts, in the forms in which upstreams repeat them, and parts of them. Keys made
 * at run time are recognised by their prefix.
 */
export class Redactor {
  readonly #lasting = new Set<string>();
  readonly #rotating = new Set<string>();
  #rotatingCharacters = 0;
  /** Indexes both. */
  readonly #index = new SecretIndex();
  readonly #cut = new CutSecrets(() => this.#lasting.union(this.#rotating));

  /** Adds a secret of the configuration, or a key whose hash is in it. */
  addLasting(secret: string): void {
    if (secret.length < SHORTEST_SECRET || this.#lasting.has(secret)) return;
    this.#lasting.add(secret);
    this.#index.add(secret);
    this.#cut.invalidate();
  }

  /** Adds a credential that was obtained at run time; only the latest are kept. */
  add(secret: string): void {
    if (secret.length < SHORTEST_SECRET) return;
    if (this.#rotating.delete(secret)) {
      this.#rotating.add(secret);
      return;
    }
    this.#rotating.add(secret);
    this.#rotatingCharacters += secret.length;
    this.#index.add(secret);
    this.#cut.invalidate();
    this.#forgetOldest();
  }

  /** Returns the text with each secret masked. */
  readonly redact = (text: string): string => {
    const clean = text.replace(MADE_KEYS, MASK);
    const uncut = this.#index.spansIn(clean);
    const cut = this.#cut.spansIn(clean);
    const spans = cut.length === 0 ? uncut : mergeSpans([...uncut, ...cut]);
    return spans.length === 0 ? clean : masked(clean, spans);
  };

  /** Returns an upstream's or a plugin's message without secrets, cut to 500 characters. It may itself end within a secret. */
  readonly message = (text: string): string => {
    const clean = this.redact(text.slice(0, LONGEST_READ) + CUT).slice(0, -CUT.length);
    return clean.length <= LONGEST_MESSAGE
      ? clean
      : `${clean.slice(0, LONGEST_MESSAGE - CUT.length).toWellFormed()}${CUT}`;
  };

  #forgetOldest(): void {
    for (const oldest of this.#rotating) {
      if (this.#rotating.size <= MAX_ROTATING && this.#rotatingCharacters <= MAX_ROTATING_CHARACTERS) return;
      this.#rotating.delete(oldest);
      this.#rotatingCharacters -= oldest.length;
      if (!this.#lasting.has(oldest)) this.#index.delete(oldest);
    }
  }
}

function masked(text: string, spans: readonly Span[]): string {
  let clean = "";
  let at = 0;
  for (const { from, to } of spans) {
    clean += text.slice(at, from) + MASK;
    at = to;
  }
  return clean + text.slice(at);
}
