const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const NUMBER = /^\d+$/;
const HEX = /^[0-9a-f]{12,}$/i;
// Names of models are long and hold digits too, but no letters of both cases.
const RANDOM = /^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[\w-]{16,}$/;

/** Whether a word is made for one occasion, so that another stands there the next time. */
export function isId(word: string): boolean {
  return [UUID, NUMBER, HEX, RANDOM].some((form) => form.test(word));
}

/** The path of a URL with `:id` in the place of ids; the query and the host are left out. */
export function pathTemplate(url: string): string {
  const words = new URL(url).pathname.split("/");
  return words.map((word) => (isId(word) ? ":id" : word)).join("/");
}
