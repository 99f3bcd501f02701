import { asArray, asNumber, asObject, asString, member } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Json, JsonObject, Model } from "modelyard/plugin";
import { capabilitiesIn } from "./capabilities.ts";
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
  const list = [said, member(said, "data"), member(said, "models")].find((each) => Array.isArray(each));
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
  const capabilities = capabilitiesIn(entry);
  return {
    id,
    ...(ownedBy !== "" && { ownedBy }),
    ...(created > 0 && {
      created: Math.floor(created < LATEST_SECONDS ? created : created / 1000),
    }),
    ...(capabilities && { capabilities }),
  };
}
