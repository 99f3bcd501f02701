import { parseArgs } from "node:util";
import type { Grant } from "../../keys/keyring.ts";
import { GRANT_OPTIONS, parseGrant } from "./key-grant.ts";

/** A parsed `keys` command. */
export type KeysCommand =
  | { readonly action: "create"; readonly grant: Grant }
  | { readonly action: "revoke"; readonly name: string }
  | { readonly action: "show"; readonly name: string; readonly json: boolean }
  | { readonly action: "list"; readonly json: boolean };

const OPTIONS = {
  config: { type: "string" },
  json: { type: "boolean" },
  ...Object.fromEntries(GRANT_OPTIONS.map((name) => [name, { type: "string" }] as const)),
} as const;
/** The options of each action beside `--config`. */
const TAKES: Readonly<Record<KeysCommand["action"], readonly string[]>> = {
  create: GRANT_OPTIONS,
  list: ["json"],
  show: ["json"],
  revoke: [],
};

/** Parses the arguments after `keys`; throws an Error that names the first wrong one. */
export function parseKeysArgs(argv: readonly string[]): KeysCommand {
  const parsed = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, tokens: true });
  const [action = "", ...names] = parsed.positionals;
  if (!isAction(action)) {
    throw new Error(action === "" ? "what is to be done with keys?" : `there is no command keys ${action}`);
  }
  refuseOptions(
    action,
    parsed.tokens.flatMap((token) => (token.kind === "option" ? [token.name] : [])),
  );
  const { json = false, config: _, ...options } = parsed.values;
  if (action === "list") {
    if (names.length === 0) return { action, json };
    throw new Error(`keys list takes no name; did you mean keys show ${names[0]}?`);
  }
  const name = onlyName(action, names);
  if (action !== "create") return { action, name, json };
  const grant = parseGrant(name, options);
  if ("name" in grant) return { action, grant };
  throw new Error(grant.join("\n"));
}

function isAction(word: string): word is KeysCommand["action"] {
  return Object.hasOwn(TAKES, word);
}

function refuseOptions(action: KeysCommand["action"], options: readonly string[]): void {
  const odd = options.find((option) => option !== "config" && !TAKES[action].includes(option));
  if (odd !== undefined) throw new Error(`keys ${action} takes no --${odd}`);
  const twice = options.find((option, index) => options.indexOf(option) < index);
  if (twice !== undefined) throw new Error(`--${twice} is given twice`);
}

function onlyName(action: string, [name, ...more]: readonly string[]): string {
  if (!name) throw new Error(`keys ${action} needs the key's name`);
  if (more.length > 0) throw new Error(`keys ${action} takes one name; "${more[0]}" is too much`);
  return name;
}
