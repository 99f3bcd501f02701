import { version } from "../../package.json";
import type { StartupPlan } from "../build-gateway.ts";
import type { Gateway } from "../gateway.ts";
import type { KeySource } from "../keys/keyring.ts";
import { makeKey } from "../keys/keyring.ts";

/** Name of the key that is created if there is none. */
const FIRST_KEY = "first";
const MODELS_SHOWN = 12;
/** Longest wait for upstreams' model lists, in ms. */
const PATIENCE_MS = 500;

/** The key to show after the start. */
export interface KeyNotice {
  /** The key's text in the curl example. */
  readonly shell: string;
  readonly text: string;
}

/**
 * Resolves with the key to use, and creates one if there is none: it is shown once, on the terminal and not in the log.
 * Configured keys are never shown.
 */
export async function keyNotice({ settings }: StartupPlan, store: KeySource): Promise<KeyNotice> {
  const { keys: stored } = await store.snapshot();
  if (settings.keys.length === 0 && stored.length === 0) {
    const key = await makeKey({ name: FIRST_KEY }, store);
    return { shell: key, text: `${key}\n           made just now; it is shown only this once, so keep it` };
  }
  const known = [
    ...settings.keys.map(({ name, expires }) =>
      expires !== undefined && expires <= Date.now() ? `${name} (expired)` : name,
    ),
    ...stored.map(({ name, prefix }) => `${name} (${prefix}…)`),
  ];
  const more =
    settings.keys.length === 0
      ? "\n           lost it? make another: bun run modelyard keys create NAME"
      : "";
  return { shell: "YOUR_KEY", text: known.join(", ") + more };
}

/** Resolves with the start banner: address, models, key and a curl example. */
export async function banner(url: string, gateway: Gateway, key: KeyNotice): Promise<string> {
  const models = await modelNames(gateway);
  const body = JSON.stringify({
    model: models.names[0] ?? "MODEL",
    messages: [{ role: "user", content: "Hello!" }],
    stream: true,
  });
  return `
Modelyard ${version} listens on ${url}

  base URL ${url}/v1
  models   ${shown(models)}
  key      ${key.text}
  docs     ${url}/docs

  try      curl -N ${url}/v1/chat/completions -H "Authorization: Bearer ${key.shell}" \\
             -H "Content-Type: application/json" -d '${body}'

`;
}

/** Resolves with the known models, and whether all lists have arrived. */
async function modelNames({ catalog, routes }: Gateway): Promise<{ names: string[]; all: boolean }> {
  const all = await Promise.race([
    catalog.settled().then(() => true),
    Bun.sleep(PATIENCE_MS).then(() => false),
  ]);
  const offered = catalog.known().map(({ model }) => model.id);
  return { names: [...new Set([...routes.names, ...offered])], all };
}

function shown({ names, all }: { names: readonly string[]; all: boolean }): string {
  const more = names.length - MODELS_SHOWN;
  const some =
    names.slice(0, MODELS_SHOWN).join(", ") + (more > 0 ? ` and ${more} more (GET /v1/models)` : "");
  return all ? some : `${some}${some && ", "}and those of upstreams that haven't answered yet`;
}
