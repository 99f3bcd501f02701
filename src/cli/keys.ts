import { configPath, loadConfig } from "../../config/load.ts";
import { plan } from "../gateway.ts";
import type { KeyStore } from "../state/keyring.ts";
import { makeKey } from "../state/keyring.ts";
import { openSqlite } from "../stores/sqlite.ts";

/** `keys create NAME` and `keys list`: the keys in the database. A running gateway knows a new one at once. */
export async function keys(argv: readonly string[]): Promise<number> {
  const [action, name] = argv.filter(
    (word, index) => !word.startsWith("--") && argv[index - 1] !== "--config",
  );
  const config = await loadConfig(configPath(argv));
  const { settings } = await plan(config);
  const storage = openSqlite(settings.storage, config.directory);
  try {
    if (action === "list") return list(storage.keys);
    if (action === "create" && name) return create(name, storage.keys);
    console.error("usage: bun run modelyard keys create NAME | keys list");
    return 2;
  } finally {
    storage.close();
  }
}

function create(name: string, store: KeyStore): number {
  if (store.list().some((key) => key.name === name)) {
    console.error(`there is a key "${name}" already; choose another name`);
    return 1;
  }
  console.log(makeKey(name, store));
  console.error(`The key "${name}" is shown only this once. A running gateway accepts it from now on.`);
  return 0;
}

function list(store: KeyStore): number {
  for (const { name, prefix, made } of store.list()) {
    console.log(`${name}\t${prefix}…\tmade ${new Date(made).toISOString().slice(0, 10)}`);
  }
  return 0;
}
