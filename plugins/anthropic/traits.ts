import { asNumber, asObject } from "modelyard/kit";
import type { Capabilities, JsonObject } from "modelyard/plugin";

/** The levels of `output_config.effort`, from the lowest to the highest. */
export const EFFORTS = ["low", "medium", "high", "xhigh", "max"] as const;
export type Effort = (typeof EFFORTS)[number];

/** What a model takes and refuses: https://platform.claude.com/docs/en/build-with-claude/thinking */
export interface Traits {
  /** Whether it is one of Anthropic's own models; other servers that speak this API have others. */
  readonly isClaude: boolean;
  /** How it is told to think: with a budget of tokens, by an effort, or not at all. */
  readonly thinking: "none" | "budget" | "adaptive";
  /** Whether it thinks unless told otherwise. */
  readonly thinksUnasked: boolean;
  readonly mayStopThinking: boolean;
  /** The levels of effort it takes. */
  readonly efforts: readonly Effort[];
  /** Whether it takes temperature, top_p and top_k. */
  readonly sampling: boolean;
  /** Whether it refuses temperature and top_p together. */
  readonly oneOfSampling: boolean;
  /** Whether an answer may be begun by the client. */
  readonly prefill: boolean;
  /** Whether a tool call can be demanded. */
  readonly forcedTools: boolean;
  /** Whether it takes JSON schemas for answers and tools; undefined: not known. */
  readonly structured: boolean | undefined;
  readonly vision: boolean | undefined;
  readonly context: number | undefined;
  /** The longest answer, in tokens. */
  readonly output: number | undefined;
  /** The `max_tokens` of a request that names none. */
  readonly usualOutput: number;
}

const UNKNOWN: Traits = {
  isClaude: false,
  thinking: "budget",
  thinksUnasked: false,
  mayStopThinking: true,
  efforts: [],
  sampling: true,
  oneOfSampling: false,
  prefill: true,
  forcedTools: true,
  structured: undefined,
  vision: undefined,
  context: undefined,
  output: undefined,
  usualOutput: 4096,
};

/** What is known of a model by its name, and better by what `GET /v1/models` says of it. */
export function traitsOf(id: string, info: JsonObject | undefined): Traits {
  const named = byName(id);
  return info ? told(named, info) : named;
}

/** The capabilities that the gateway chooses targets by; what isn't known is left out. */
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

// Names without a version are newer than any with one, so far.
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
    thinksUnasked: version >= 500,
    mayStopThinking: !isAlwaysThinking,
    efforts: effortsOf(version),
    sampling: version < 407,
    oneOfSampling: version >= 401,
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

/** Older models refuse a conversation that is too long together with `max_tokens`, so they are asked for less. */
function limits(version: number, line: string): Pick<Traits, "context" | "output" | "usualOutput"> {
  if (version >= 406) return { context: undefined, output: 128_000, usualOutput: USUAL_OUTPUT };
  const output = outputOf(version, line);
  return { context: 200_000, output, usualOutput: version >= 405 ? USUAL_OUTPUT : Math.min(output, 8192) };
}

function outputOf(version: number, line: string): number {
  if (version >= 400) return version < 405 && line === "opus" ? 32_000 : 64_000;
  if (version >= 307) return 64_000;
  return version >= 305 ? 8192 : 4096;
}

const USUAL_OUTPUT = 64_000;

/** The traits with what the list of models says in place of what the name lets guess. */
function told(named: Traits, info: JsonObject): Traits {
  const can = asObject(info["capabilities"]);
  const output = asNumber(info["max_tokens"]) ?? named.output;
  return {
    ...named,
    ...(can && thinkingTold(named, can)),
    structured: supports(can?.["structured_outputs"]) ?? named.structured,
    vision: supports(can?.["image_input"]) ?? named.vision,
    context: asNumber(info["max_input_tokens"]) ?? named.context,
    output,
    usualOutput: Math.min(output ?? named.usualOutput, named.usualOutput),
  };
}

function thinkingTold(
  named: Traits,
  can: JsonObject,
): Pick<Traits, "thinking" | "mayStopThinking" | "efforts"> {
  const thinking = asObject(can["thinking"]);
  const types = asObject(thinking?.["types"]);
  const effort = asObject(can["effort"]);
  return {
    thinking: wayTold(types) ?? (supports(thinking) === false ? "none" : named.thinking),
    mayStopThinking: supports(types?.["disabled"]) ?? named.mayStopThinking,
    efforts: effort ? EFFORTS.filter((level) => supports(effort[level])) : named.efforts,
  };
}

function wayTold(types: JsonObject | undefined): "adaptive" | "budget" | undefined {
  if (supports(types?.["adaptive"])) return "adaptive";
  return supports(types?.["enabled"]) ? "budget" : undefined;
}

function supports(capability: JsonObject[string]): boolean | undefined {
  const supported = asObject(capability)?.["supported"];
  return typeof supported === "boolean" ? supported : undefined;
}
