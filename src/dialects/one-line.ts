/** Where Python's `splitlines` also splits, and with it clients that read by lines. Event streams know no such line end. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g;

/** Returns JSON whose texts have no line end in them. */
export function inOneLine(json: string): string {
  return json.search(LINE_ENDS) < 0 ? json : json.replace(LINE_ENDS, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * A text that stands in a frame as it is. What is written in surrogates is left to `JSON.stringify`, which knows
 * halves, and what ends a line for some clients to `inOneLine`.
 */
export const PLAIN = /^[ !#-[\]-\u0084\u0086-\u2027\u202a-\ud7ff\ue000-\uffff]*$/;

/** Returns a text as JSON that has no line end in it. */
export function textInOneLine(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : inOneLine(JSON.stringify(text));
}
