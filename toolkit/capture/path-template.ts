const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const NUMBER = /^\d+$/;
const HEX = /^[0-9a-f]{12,}$/i;
// Names of models are long and have digits, too, but no letters of both cases.
const RANDOM = /^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[\w-]{16,}$/;

/** Returns whether a word is a generated id, which differs from call to call. */
export function isId(word: string): boolean {
  return [UUID, NUMBER, HEX, RANDOM].some((form) => form.test(word));
}

/** Returns the path of a URL, without query, with `:id` in place of ids. */
export function pathTemplate(url: string): string {
  const words = new URL(url).pathname.split("/");
  return words.map((word) => (isId(word) ? ":id" : word)).join("/");
}
