import { asNumber, asObject } from "modelyard/kit";
import type { Capabilities, JsonObject } from "modelyard/plugin";

/** The levels of `output_config.effort`, from the lowest to the highest. */
export const EFFORTS = ["low", "medium", "high", "xhigh", "max"] as const;
export type Effort = (typeof EFFORTS)[number];

/** The features and limits of a model: https://platform.claude.com/docs/en/build-with-claude/thinking */
export interface Traits {
  /** Whether it is one of Anthropic's own models; other servers of this API have others. */
  readonly isClaude: boolean;
  /** How thinking is enabled: with a token budget, by an effort, or not at all. */
  readonly thinking: "none" | "budget" | "adaptive";
  /** Whether the model thinks by default. */
  readonly thinksByDefault: boolean;
  readonly canDisableThinking: boolean;
  /** The levels of effort that the model takes. */
  readonly efforts: readonly Effort[];
  /** Whether the model takes temperature, top_p and top_k. */
  readonly sampling: boolean;
  /** Whether the model rejects temperature and top_p together. */
  readonly exclusiveSampling: boolean;
  /** Whether the last message may be the assistant's (prefill). */
  readonly prefill: boolean;
  /** Whether `tool_choice` may force a tool call. */
  readonly forcedTools: boolean;
  /** Whether the model takes JSON schemas for answers and tools; undefined if unknown. */
  readonly structured: boolean | undefined;
  readonly vision: boolean | undefined;
  readonly context: number | undefined;
  /** The output limit, in tokens. */
  readonly output: number | undefined;
  /** The `max_tokens` of a request without one. */
  readonly defaultMaxTokens: number;
}

const UNKNOWN: Traits = {
  isClaude: false,
  thinking: "budget",
  thinksByDefault: false,
  canDisableThinking: true,
  efforts: [],
  sampling: true,
  exclusiveSampling: false,
  prefill: true,
  forcedTools: true,
  structured: undefined,
  vision: undefined,
  context: undefined,
  output: undefined,
  defaultMaxTokens: 4096,
};

/** Returns a model's traits by its name, overridden by its entry in `GET /v1/models`. */
export function traitsOf(id: string, info: JsonObject | undefined): Traits {
  const named = byName(id);
  return info ? withModelInfo(named, info) : named;
}

/** Returns the capabilities for routing; unknown ones are left out. */
export function capabilitiesOf(traits: Traits): Capabilities {
  const { structured, vision, context, output } = traits;
  return {
    ...(traits.isClaude && { tools: true, reasoning: traits.thinking !== "none" }),
    ...(vision !== undefined && { vision }),
    ...(structured !== undefined && { json_schema: structured }),
    ...(context !== undefined && { context }),
    ...(output !== undefined && { output }),
  };
}

/** `claude-opus-4-5-20251101` and `claude-3-7-sonnet-20250219`: the version, and the line before or after it. */
const NAME = /claude-(?:([a-z]+)-)?(?:(\d+)(?:[-.](\d{1,2}))?(?!\d))?(?:-([a-z]+))?/;

// So far every name without a version denotes a newer model than any with one.
const NEWEST = 9999;

function byName(id: string): Traits {
  const [match, before = "", major, minor = "0", after = ""] = NAME.exec(id) ?? [];
  if (match === undefined) return UNKNOWN;
  const version = major === undefined ? NEWEST : Number(major) * 100 + Number(minor);
  return { ...byVersion(version, before || after), ...limits(version, before || after) };
}

function byVersion(version: number, line: string): Omit<Traits, keyof ReturnType<typeof limits>> {
  const isMythical = line === "fable" || line === "mythos";
  const isLatest = version > 500 && line !== "haiku";
  const isAlwaysThinking = isMythical || isLatest;
  return {
    isClaude: true,
    thinking: version < 307 ? "none" : version < 406 ? "budget" : "adaptive",
    thinksByDefault: version >= 500,
    canDisableThinking: !isAlwaysThinking,
    efforts: effortsOf(version),
    sampling: version < 407,
    exclusiveSampling: version >= 401,
    prefill: version < 406,
    forcedTools: !isLatest,
    structured: version >= 405 || (version === 401 && line === "opus"),
    vision: version >= 300,
  };
}

function effortsOf(version: number): readonly Effort[] {
  if (version < 406) return [];
  return version < 407 ? EFFORTS.filter((effort) => effort !== "xhigh") : EFFORTS;
}

/**
 * Older models reject a conversation that exceeds the context together with `max_tokens`, so their default is lower.
 */
function limits(version: number, line: string): Pick<Traits, "context" | "output" | "defaultMaxTokens"> {
  if (version >= 406) return { context: undefined, output: 128_000, defaultMaxTokens: DEFAULT_MAX_TOKENS };
  const output = outputOf(version, line);
  return {
    context: 200_000,
    output,
    defaultMaxTokens: version >= 405 ? DEFAULT_MAX_TOKENS : Math.min(output, 8192),
  };
}

function outputOf(version: number, line: string): number {
  if (version >= 400) return version < 405 && line === "opus" ? 32_000 : 64_000;
  if (version >= 307) return 64_000;
  return version >= 305 ? 8192 : 4096;
}

const DEFAULT_MAX_TOKENS = 64_000;

/** Returns the traits with those of the model list in place of guesses by name. */
function withModelInfo(named: Traits, info: JsonObject): Traits {
  const can = asObject(info["capabilities"]);
  const output = asNumber(info["max_tokens"]) ?? named.output;
  return {
    ...named,
    ...(can && thinkingFrom(named, can)),
    structured: supports(can?.["structured_outputs"]) ?? named.structured,
    vision: supports(can?.["image_input"]) ?? named.vision,
    context: asNumber(info["max_input_tokens"]) ?? named.context,
    output,
    defaultMaxTokens: Math.min(output ?? named.defaultMaxTokens, named.defaultMaxTokens),
  };
}

function thinkingFrom(
  named: Traits,
  can: JsonObject,
): Pick<Traits, "thinking" | "canDisableThinking" | "efforts"> {
  const thinking = asObject(can["thinking"]);
  const types = asObject(thinking?.["types"]);
  const effort = asObject(can["effort"]);
  return {
    thinking: thinkingTypeFrom(types) ?? (supports(thinking) === false ? "none" : named.thinking),
    canDisableThinking: supports(types?.["disabled"]) ?? named.canDisableThinking,
    efforts: effort ? EFFORTS.filter((level) => supports(effort[level])) : named.efforts,
  };
}

function thinkingTypeFrom(types: JsonObject | undefined): "adaptive" | "budget" | undefined {
  if (supports(types?.["adaptive"])) return "adaptive";
  return supports(types?.["enabled"]) ? "budget" : undefined;
}

function supports(capability: JsonObject[string]): boolean | undefined {
  const supported = asObject(capability)?.["supported"];
  return typeof supported === "boolean" ? supported : undefined;
}
