import { asArray, asNumber, asObjects, asString, member } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Json, JsonObject, Model } from "modelyard/plugin";

const METHODS = new Set<Json>(["generateContent", "embedContent", "batchEmbedContents"]);

/** Returns the models of a page of `GET /models` that this plugin supports. https://ai.google.dev/api/models */
export function parseModels(page: Json): readonly Model[] {
  return asObjects(member(page, "models"))
    .filter((model) => asArray(model["supportedGenerationMethods"]).some((method) => METHODS.has(method)))
    .map(modelOf);
}

function modelOf(model: JsonObject): Model {
  const isChat = asArray(model["supportedGenerationMethods"]).includes("generateContent");
  const context = asNumber(model["inputTokenLimit"]);
  const output = asNumber(model["outputTokenLimit"]);
  const { thinking } = model;
  return {
    id: asString(model["name"]).replace(/^models\//, ""),
    ownedBy: "google",
    capabilities: {
      ...(context !== undefined && { context }),
      ...(isChat && output !== undefined && { output }),
      ...(typeof thinking === "boolean" && { reasoning: thinking }),
    },
  };
}

/** The parts of a model's name. */
export interface ModelName {
  /** The resource name in Google's URLs: `models/gemini-3-flash`. */
  readonly resource: string;
  /** The name without `models/`. */
  readonly id: string;
  /** The version of a Gemini model, 2.5 for `gemini-2.5-pro`; 0 for all others. */
  readonly version: number;
  readonly isPro: boolean;
}

// The name becomes part of a URL to which the key is sent: it must not lead to another method or path.
const VALID_NAME = /^(?!.*\.\.)[\w.@-]+(\/[\w.@-]+)*$/;

/** Google's aliases for its latest models, which are of version 3 or later. */
const LATEST = /^gemini-(pro|flash|flash-lite)-latest$/;

/** Parses a model's name. Throws `no-such-model` for an invalid one. */
export function parseModelName(model: string): ModelName {
  const id = model.replace(/^models\//, "");
  if (!VALID_NAME.test(id)) throw new UpstreamError("no-such-model", `Gemini has no model ${id}`);
  const resource = id.includes("/") ? id : `models/${id}`;
  const version = LATEST.test(id) ? 3 : Number(/^gemini-(\d+(\.\d+)?)-/.exec(id)?.[1] ?? 0);
  return { resource, id, version, isPro: /-pro\b/.test(id) };
}
