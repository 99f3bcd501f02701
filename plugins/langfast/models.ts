import type { Model } from "modelyard/plugin";

/** The parameters that a model takes, as the service's public clients list them. */
export interface LangfastModel {
  readonly id: string;
  /** The role of instructions, if the model takes any. */
  readonly instructions: "system" | "developer" | "none";
  /** Whether it takes temperature, top_p, presence_penalty and frequency_penalty. */
  readonly sampling: boolean;
  /** The types of `response_format` that the model takes. */
  readonly formats: readonly string[];
  /** The values of `reasoning_effort` that the model takes. */
  readonly efforts: readonly string[];
  readonly reasoning: boolean;
  /** Whether it takes `verbosity` and `summary`. */
  readonly verbosity: boolean;
  /** The output limit, in tokens. */
  readonly output: number;
  /** Whether the service may refuse the model to anonymous users. */
  readonly premium: boolean;
}

type Family = Omit<LangfastModel, "id" | "premium">;

const ALL_FORMATS = ["text", "json_object", "json_schema"];

const GPT_4O: Family = {
  instructions: "system",
  sampling: true,
  formats: ALL_FORMATS,
  efforts: [],
  reasoning: false,
  verbosity: false,
  output: 16_384,
};
const GPT_4_1: Family = { ...GPT_4O, output: 32_768 };
const GPT_4: Family = { ...GPT_4O, formats: ["text", "json_object"], output: 4_096 };
const O: Family = {
  instructions: "developer",
  sampling: false,
  formats: ALL_FORMATS,
  efforts: ["low", "medium", "high"],
  reasoning: true,
  verbosity: false,
  output: 100_000,
};
const O1_MINI: Family = { ...O, instructions: "none", formats: ["text"], efforts: [], output: 65_536 };
const GPT_5: Family = {
  ...O,
  efforts: ["minimal", "low", "medium", "high"],
  verbosity: true,
  output: 128_000,
};

const FAMILIES: readonly (readonly [Family, readonly string[]])[] = [
  [GPT_5, ["gpt-5", "gpt-5-mini", "gpt-5-nano"]],
  [GPT_4O, ["gpt-4.5-preview"]],
  [GPT_4_1, ["gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"]],
  [GPT_4O, ["gpt-4o", "gpt-4o-mini"]],
  [O, ["o1"]],
  [O1_MINI, ["o1-mini"]],
  [O, ["o3", "o3-mini", "o4-mini"]],
  [GPT_4, ["gpt-4-turbo", "gpt-4", "gpt-3.5-turbo"]],
];

const PREMIUM = new Set(["gpt-4.5-preview", "gpt-4-turbo", "gpt-4"]);

const MODELS: ReadonlyMap<string, LangfastModel> = new Map(
  FAMILIES.flatMap(([family, ids]) => ids.map((id) => [id, { ...family, id, premium: PREMIUM.has(id) }])),
);

/** Returns the model of this name, if the service has it. */
export function findModel(id: string): LangfastModel | undefined {
  return MODELS.get(id);
}

/** Returns all models. The service has no list endpoint, so the list is fixed. */
export function listModels(): readonly Model[] {
  return [...MODELS.values()].map(({ id, formats, reasoning, output }) => ({
    id,
    ownedBy: "langfast",
    capabilities: {
      tools: false,
      vision: false,
      json_schema: formats.includes("json_schema"),
      reasoning,
      output,
    },
  }));
}
