/**
 * Collects ignored parameters for `x-modelyard-ignored`: top-level ones first, one entry for each kind, and for schemas the
 * number of keywords, because an agent's sixty tools would make a list of thousands.
 */
export class IgnoredParameters {
  readonly #names = new Set<string>();

  add(name: string): void {
    this.#names.add(name);
  }

  /** Returns the entries, encoded for a header, without commas. */
  entries(): readonly string[] {
    const counts = new Map<string, number>();
    const kinds = new Set<string>();
    for (const name of this.#names) {
      const schema = schemaOf(name);
      if (schema === undefined) kinds.add(kindOf(name));
      else counts.set(schema, (counts.get(schema) ?? 0) + 1);
    }
    const [nested, top] = [[...kinds].filter(isNested), [...kinds].filter((kind) => !isNested(kind))];
    return [
      ...[...top, ...nested].map(encoded),
      ...[...counts].map(
        ([schema, count]) => `${encoded(schema)}: ${count} keyword${count === 1 ? "" : "s"}`,
      ),
    ];
  }
}

/** Returns entries as one text of at most `longest` characters. */
export function joinedEntries(entries: readonly string[], longest: number): string {
  const list = entries.join(",");
  return list.length <= longest ? list : `${list.slice(0, longest)}...`;
}

/** Returns a parameter's kind: `messages[3].name` and `messages[5].name` are one. */
function kindOf(name: string): string {
  return name.replaceAll(/\[\d+\]/g, "[]");
}

/** Returns the schema of a keyword, as `tools[].function.parameters`. */
function schemaOf(name: string): string | undefined {
  const schema = SCHEMA.exec(name)?.[1];
  return schema === undefined ? undefined : kindOf(schema);
}

const SCHEMA = /^(tools\[\d*\]\.function\.parameters|response_format\.json_schema\.schema)[.[]/;

function isNested(kind: string): boolean {
  return /[.[]/.test(kind);
}

/** Encodes characters that a header's list can't hold. */
function encoded(name: string): string {
  return name.toWellFormed().replace(NOT_IN_A_LIST, encodeURIComponent);
}

/** Matches the comma and everything but visible ASCII. */
const NOT_IN_A_LIST = /[^!-+\--~]/gu;
