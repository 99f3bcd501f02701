import { parseArgs } from "node:util";
import { configPath, loadConfig } from "../../config/load.ts";
import type { Settings } from "../../config/settings.ts";
import { plan } from "../gateway.ts";
import type { KeyStore } from "../state/keyring.ts";
import { makeKey } from "../state/keyring.ts";
import { openSqlite } from "../stores/sqlite.ts";

const USAGE = `usage: bun run modelyard keys create NAME | delete NAME | list   [--config PATH]
A key with a model list or an expiry stands in gateway.yaml, under keys.`;

/** `keys create`, `delete` and `list`: the keys in the database. A running gateway knows of a change at once. */
export async function keys(argv: readonly string[]): Promise<number> {
  const asked = question(argv);
  if (!asked) {
    console.error(USAGE);
    return 2;
  }
  const config = await loadConfig(configPath(argv));
  const { settings } = await plan(config);
  const storage = openSqlite(settings.storage, config.directory);
  try {
    const { action, name } = asked;
    if (action === "create") return create(name, storage.keys, settings);
    return action === "delete" ? remove(name, storage.keys, settings) : list(storage.keys);
  } finally {
    storage.close();
  }
}

interface Question {
  readonly action: "create" | "delete" | "list";
  readonly name: string;
}

/** What is asked; undefined when it isn't asked properly: nothing that isn't understood is passed over. */
function question(argv: readonly string[]): Question | undefined {
  try {
    const { positionals } = parseArgs({
      args: [...argv],
      options: { config: { type: "string" } },
      allowPositionals: true,
    });
    const [action, name = "", ...more] = positionals;
    if (more.length > 0) return undefined;
    if (action === "list" && name === "") return { action, name };
    return (action === "create" || action === "delete") && name !== "" ? { action, name } : undefined;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return undefined;
  }
}

function create(name: string, store: KeyStore, { keys: configured }: Settings): number {
  if ([...store.list(), ...configured].some((key) => key.name === name)) {
    console.error(`there is a key "${name}" already; choose another name`);
    return 1;
  }
  console.log(makeKey(name, store));
  console.error(`The key "${name}" is shown only this once. A running gateway accepts it from now on.`);
  return 0;
}

function remove(name: string, store: KeyStore, { keys: configured }: Settings): number {
  if (store.delete(name)) {
    console.error(`The key "${name}" is no longer good, in a running gateway neither.`);
    return 0;
  }
  const inFile = configured.some((key) => key.name === name);
  console.error(
    inFile ? `the key "${name}" stands in gateway.yaml; remove it there` : `there is no key "${name}"`,
  );
  return 1;
}

function list(store: KeyStore): number {
  for (const { name, prefix, made } of store.list()) {
    console.log(`${name}\t${prefix}…\tmade ${new Date(made).toISOString().slice(0, 10)}`);
  }
  return 0;
}
