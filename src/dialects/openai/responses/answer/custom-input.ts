/** What a backslash and a letter stand for in JSON. */
const ESCAPES: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** What comes before the text: `{"input":"`. */
const BEGINNING = /^\s*\{\s*"input"\s*:\s*"/;

/**
 * Reads the `input` of a custom tool out of the arguments `{"input": "…"}` of the function that stands for it, while
 * they come in pieces.
 */
export class CustomInput {
  /** The arguments before the text, or the beginning of an escape in it. */
  #held = "";
  #state: "before" | "within" | "behind" = "before";

  /** Returns the next piece of the text. */
  push(piece: string): string {
    this.#held += piece;
    if (this.#state === "before") {
      const beginning = BEGINNING.exec(this.#held);
      if (!beginning) return "";
      this.#held = this.#held.slice(beginning[0].length);
      this.#state = "within";
    }
    return this.#state === "within" ? this.#read() : "";
  }

  #read(): string {
    const text = this.#held;
    let read = "";
    let at = 0;
    while (at < text.length) {
      const next = nextSpecial(text, at);
      read += text.slice(at, next);
      at = next;
      if (text[at] === '"') {
        this.#state = "behind";
        at = text.length;
      } else if (text[at] === "\\") {
        const length = text[at + 1] === "u" ? 6 : 2;
        if (at + length > text.length) break;
        read += unescaped(text.slice(at, at + length));
        at += length;
      }
    }
    this.#held = text.slice(at);
    return read;
  }
}

/** Returns where the next quote or backslash stands, or the text's end. */
function nextSpecial(text: string, from: number): number {
  for (let at = from; at < text.length; at++) if (text[at] === '"' || text[at] === "\\") return at;
  return text.length;
}

function unescaped(escape: string): string {
  const letter = escape[1] ?? "";
  if (letter === "u") return String.fromCharCode(Number.parseInt(escape.slice(2), 16));
  return ESCAPES[letter] ?? letter;
}

/** Returns the text in whole arguments `{"input": "…"}`; the arguments themselves where they are something else. */
export function customInput(given: string): string {
  try {
    const { input } = JSON.parse(given) as { input?: unknown };
    return typeof input === "string" ? input : given;
  } catch {
    return given;
  }
}
