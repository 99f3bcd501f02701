import { join } from "node:path";

/** The pages of the guide for authors of plugins. */
export const GUIDE = ["docs/plugins.md", "docs/plugins-polling.md", "docs/plugins-credentials.md"] as const;

/** Reads all pages of the guide as one text. */
export async function guide(): Promise<string> {
  const texts = GUIDE.map((path) => Bun.file(join(import.meta.dir, "../..", path)).text());
  return (await Promise.all(texts)).join("\n");
}

/** A block of code on a page, with the name of its file if it begins with one. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** From a first line as `// parrot.ts`. */
  readonly file: string | undefined;
}

const BLOCK = /^```(\w*)\n(.*?)^```$/gms;

/** Every block of code, from the top. */
export function blocks(page: string): Block[] {
  return [...page.matchAll(BLOCK)].map(([, language = "", text = ""]) => {
    return { language, text, file: /^(?:\/\/|#) ([\w./-]+\.\w+)\n/.exec(text)?.[1] };
  });
}

/** The text of the page's only block with this file name. Throws when there is none, or another one. */
export function fileOf(page: string, file: string): string {
  const [block, ...more] = blocks(page).filter((each) => each.file === file);
  if (!block || more.length > 0)
    throw new Error(`the page has ${block ? "several blocks" : "no block"} ${file}`);
  return block.text;
}

/** The piece of gateway.yaml on the page that serves this file. Throws when there is none, or another one. */
export function settingsOf(page: string, file: string): string {
  const found = blocks(page).filter(
    ({ language, text }) => language === "yaml" && text.includes(`./${file}`),
  );
  if (found.length !== 1) throw new Error(`the page has ${found.length} blocks of YAML that name ${file}`);
  return found[0]?.text ?? "";
}

/** The page without its blocks of code. */
export function prose(page: string): string {
  return page.replace(BLOCK, "");
}

/** The addresses that the page's links go to, those of other sites left out. */
export function links(page: string): string[] {
  const all = [...prose(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return all.filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchors(page: string): string[] {
  return [...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

/** The rows of the table whose first heads are these, without the heads; each is its cells. */
export function table(page: string, ...heads: readonly string[]): string[][] {
  const lines = page.split("\n");
  const first = lines.findIndex((line) => heads.every((head, place) => cells(line)[place] === head));
  const rest = lines.slice(first + 2);
  return first < 0 ? [] : rest.slice(0, rest.indexOf("")).map(cells);
}

/** The names in back quotes that begin the rows of the table whose first head is "option". */
export function fieldsOf(page: string): string[] {
  return table(page, "option").map(([cell = ""]) => cell.replaceAll("`", ""));
}

function cells(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}
