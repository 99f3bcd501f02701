import { asArray, asNumber, asObjects, asString, member } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Json, JsonObject, Model } from "modelyard/plugin";

const METHODS = new Set<Json>(["generateContent", "embedContent", "batchEmbedContents"]);

/** Those models of a page of `GET /models` that this plugin can ask. https://ai.google.dev/api/models */
export function modelsIn(page: Json): readonly Model[] {
  return asObjects(member(page, "models")).filter(isUsable).map(modelOf);
}

function isUsable(model: JsonObject): boolean {
  return asArray(model["supportedGenerationMethods"]).some((method) => METHODS.has(method));
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

/** What a model's name tells about it. */
export interface ModelName {
  /** As Google's methods are called with it: `models/gemini-3-flash`. */
  readonly resource: string;
  /** The name without its folder. */
  readonly id: string;
  /** Of a Gemini: 2.5 for `gemini-2.5-pro`; 0 for everything else. */
  readonly version: number;
  readonly isPro: boolean;
}

// Nothing that could lead to another method or address, though the key is sent along.
const SANE = /^(?!.*\.\.)[\w.@-]+(\/[\w.@-]+)*$/;

/** Google's names for its newest models, which have been of the third version or later since it came. */
const LATEST = /^gemini-(pro|flash|flash-lite)-latest$/;

/** Reads a model's name; throws `no-such-model` for one that can't be Google's. */
export function modelName(model: string): ModelName {
  const id = model.replace(/^models\//, "");
  if (!SANE.test(id)) throw new UpstreamError("no-such-model", `Gemini has no model ${id}`);
  const resource = id.includes("/") ? id : `models/${id}`;
  const version = LATEST.test(id) ? 3 : Number(/^gemini-(\d+(\.\d+)?)-/.exec(id)?.[1] ?? 0);
  return { resource, id, version, isPro: /-pro\b/.test(id) };
}
