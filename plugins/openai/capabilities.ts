import { asArray, asNumber, member } from "modelyard/kit";
import type { MaybeJson } from "modelyard/kit";
import type { Capabilities, JsonObject } from "modelyard/plugin";

/** Reads one capability from a model's entry in a list; returns undefined if the entry lacks it. */
type Reader<T> = (entry: JsonObject) => T | undefined;

const flag =
  (path: string): Reader<boolean> =>
  (entry) => {
    const value = at(entry, path);
    return typeof value === "boolean" ? value : undefined;
  };

const includes =
  (path: string, word: string): Reader<boolean> =>
  (entry) => {
    const value = at(entry, path);
    return Array.isArray(value) ? asArray(value).includes(word) : undefined;
  };

const count =
  (path: string): Reader<number> =>
  (entry) => {
    const value = asNumber(at(entry, path)) ?? 0;
    // No server means a limit of 0.
    return value > 0 ? value : undefined;
  };

/** Returns the value at a path of member names. */
function at(entry: JsonObject, path: string): MaybeJson {
  return path.split(".").reduce<MaybeJson>(member, entry);
}

/** The members in which servers report capabilities; the first one present wins. */
const READERS: {
  readonly [C in keyof Capabilities]-?: readonly Reader<NonNullable<Capabilities[C]>>[];
} = {
  tools: [
    includes("supported_parameters", "tools"), // OpenRouter
    flag("capabilities.function_calling"), // Mistral
    flag("supports_tools"), // Fireworks
  ],
  vision: [
    includes("architecture.input_modalities", "image"), // OpenRouter
    flag("capabilities.vision"), // Mistral
    flag("supports_image_input"), // Fireworks
    flag("supports_image_in"), // Moonshot
  ],
  json_schema: [
    includes("supported_parameters", "structured_outputs"), // OpenRouter
  ],
  reasoning: [
    includes("supported_parameters", "reasoning"), // OpenRouter
    flag("capabilities.reasoning"), // Mistral
    flag("supports_reasoning"), // Moonshot
  ],
  context: [
    count("context_length"), // OpenRouter, Together, Fireworks, Moonshot
    count("context_window"), // Groq
    count("max_model_len"), // vLLM
    count("max_context_length"), // Mistral
    count("metadata.context_length"), // DeepInfra
    count("meta.n_ctx"), // llama.cpp
    count("meta.n_ctx_train"), // llama.cpp, older
  ],
  output: [
    count("top_provider.max_completion_tokens"), // OpenRouter
    count("max_completion_tokens"), // Groq
    count("metadata.max_tokens"), // DeepInfra
  ],
};

/** Returns the capabilities in a model's entry of a list, or undefined if there are none. */
export function parseCapabilities(entry: JsonObject): Capabilities | undefined {
  const found = Object.entries(READERS).flatMap(([name, readers]) => {
    for (const read of readers) {
      const value = read(entry);
      if (value !== undefined) return [[name, value] as const];
    }
    return [];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found);
}
