import type { ChatRequest, Json, JsonObject } from "modelyard/plugin";
import { elements, textIn } from "../json.ts";
import type { Options } from "../options.ts";
import { badRequest } from "./errors.ts";

/** `safetySettings`: those of the options, category by category overruled by the request's own. */
export function safetySettings(request: ChatRequest, safety: Options["safety"]): JsonObject {
  const settings = new Map<string, Json>();
  for (const [category, threshold] of Object.entries(safety)) {
    const name = `HARM_CATEGORY_${category.toUpperCase()}`;
    settings.set(name, { category: name, threshold });
  }
  const own = request["safety_settings"] ?? [];
  if (!Array.isArray(own)) throw badRequest("safety_settings", "a list");
  for (const setting of elements(own)) settings.set(textIn(setting, "category"), setting);
  return settings.size > 0 ? { safetySettings: [...settings.values()] } : {};
}
