import type { Json, JsonObject, Model } from "modelyard/plugin";
import { elements, isObject, member, numberIn, textIn } from "./json.ts";

const METHODS = new Set<Json>(["generateContent", "embedContent", "batchEmbedContents"]);

/** Those models of a page of `GET /models` that this plugin can ask. https://ai.google.dev/api/models */
export function modelsIn(page: Json): readonly Model[] {
  return elements(member(page, "models")).filter(isObject).filter(isUsable).map(modelOf);
}

function isUsable(model: JsonObject): boolean {
  return elements(model["supportedGenerationMethods"]).some((method) => METHODS.has(method));
}

function modelOf(model: JsonObject): Model {
  const isChat = elements(model["supportedGenerationMethods"]).includes("generateContent");
  const context = numberIn(model, "inputTokenLimit");
  const output = numberIn(model, "outputTokenLimit");
  const { thinking } = model;
  return {
    id: textIn(model, "name").replace(/^models\//, ""),
    ownedBy: "google",
    capabilities: {
      ...(context !== undefined && { context }),
      ...(isChat && output !== undefined && { output }),
      ...(typeof thinking === "boolean" && { reasoning: thinking }),
    },
  };
}
