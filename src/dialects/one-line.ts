/** Where Python's `splitlines` also splits, and with it clients that read by lines. Event streams know no such line end. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g;

/** Returns JSON whose texts have no line end in them. */
export function inOneLine(json: string): string {
  return json.search(LINE_ENDS) < 0 ? json : json.replace(LINE_ENDS, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
