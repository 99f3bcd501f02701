import { UpstreamError } from "modelyard/plugin";
import type { Json, JsonObject, Model } from "modelyard/plugin";
import { capabilitiesIn } from "./capabilities.ts";
import { countOf, listOf, objectOf, textOf } from "./json.ts";
import type { Options } from "./options.ts";

/** Later than this in seconds nobody's model was made: then it is milliseconds. */
const LATEST_SECONDS = 1e11;

/** The models that the configuration names. */
export function modelsNamed(models: NonNullable<Options["models"]>): readonly Model[] {
  return models.map((model) => {
    if (typeof model === "string") return { id: model };
    const { id, ...capabilities } = model;
    return Object.keys(capabilities).length === 0 ? { id } : { id, capabilities };
  });
}

/**
 * The models in an answer to `GET /models`: OpenAI's `{"data": […]}`, or a bare list (Together), or
 * `{"models": […]}`, of objects or names. What has no name is left out.
 * https://platform.openai.com/docs/api-reference/models/list
 */
export function modelsIn(said: Json): readonly Model[] {
  const { data, models } = objectOf(said);
  const list = listOf(said) ?? listOf(data) ?? listOf(models);
  if (!list) throw new UpstreamError("bad-response", "the upstream's list of models is no list");
  const found = new Map<string, Model>();
  for (const each of list) {
    const model = modelOf(typeof each === "string" ? { id: each } : objectOf(each));
    if (model && !found.has(model.id)) found.set(model.id, model);
  }
  return [...found.values()];
}

function modelOf(entry: JsonObject): Model | undefined {
  const id = textOf(entry["id"]) ?? textOf(entry["model"]) ?? textOf(entry["name"]);
  if (id === undefined) return undefined;
  const ownedBy = textOf(entry["owned_by"]) ?? textOf(entry["organization"]);
  const created = countOf(entry["created"]);
  const capabilities = capabilitiesIn(entry);
  return {
    id,
    ...(ownedBy !== undefined && { ownedBy }),
    ...(created !== undefined && {
      created: Math.floor(created < LATEST_SECONDS ? created : created / 1000),
    }),
    ...(capabilities && { capabilities }),
  };
}
