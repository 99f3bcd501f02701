import { asArray, asNumber, asObject, asString, member } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Json, JsonObject, Model } from "modelyard/plugin";
import { parseCapabilities } from "./capabilities.ts";
import type { Options } from "./options.ts";

/** The largest `created` in seconds; a larger one is in milliseconds. */
const MAX_SECONDS = 1e11;

/** Returns the models of the configuration. */
export function configuredModels(models: NonNullable<Options["models"]>): readonly Model[] {
  return models.map((model) => {
    if (typeof model === "string") return { id: model };
    const { id, ...capabilities } = model;
    return Object.keys(capabilities).length === 0 ? { id } : { id, capabilities };
  });
}

/**
 * Parses an answer to `GET /models`: OpenAI's `{"data": […]}`, a bare array (Together), or `{"models": […]}`, of
 * objects or names. Entries without a name are skipped.
 * https://platform.openai.com/docs/api-reference/models/list
 */
export function parseModels(body: Json): readonly Model[] {
  const list = [body, member(body, "data"), member(body, "models")].find((each) => Array.isArray(each));
  if (!list) throw new UpstreamError("bad-response", "the upstream's list of models is no list");
  const found = new Map<string, Model>();
  for (const each of asArray(list)) {
    const model = modelOf(typeof each === "string" ? { id: each } : (asObject(each) ?? {}));
    if (model && !found.has(model.id)) found.set(model.id, model);
  }
  return [...found.values()];
}

function modelOf(entry: JsonObject): Model | undefined {
  const id = asString(entry["id"]) || asString(entry["model"]) || asString(entry["name"]);
  if (id === "") return undefined;
  const ownedBy = asString(entry["owned_by"]) || asString(entry["organization"]);
  const created = asNumber(entry["created"]) ?? 0;
  const capabilities = parseCapabilities(entry);
  return {
    id,
    ...(ownedBy !== "" && { ownedBy }),
    ...(created > 0 && {
      created: Math.floor(created < MAX_SECONDS ? created : created / 1000),
    }),
    ...(capabilities && { capabilities }),
  };
}
