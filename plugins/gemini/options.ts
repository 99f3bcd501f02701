import { HeaderMap, Secret, Type } from "modelyard/plugin";
import type { Static } from "modelyard/plugin";
import { apiKeyOption } from "modelyard/credentials";
import type { ApiKey } from "modelyard/credentials";

const THRESHOLDS = [
  "OFF",
  "BLOCK_NONE",
  "BLOCK_ONLY_HIGH",
  "BLOCK_MEDIUM_AND_ABOVE",
  "BLOCK_LOW_AND_ABOVE",
] as const;

function threshold(what: string) {
  return Type.Optional(
    Type.Union(
      THRESHOLDS.map((name) => Type.Literal(name)),
      { description: `From which probability ${what} is blocked.` },
    ),
  );
}

const safety = Type.Object(
  {
    harassment: threshold("harassment"),
    hate_speech: threshold("hate speech"),
    sexually_explicit: threshold("sexually explicit content"),
    dangerous_content: threshold("dangerous content"),
    civic_integrity: threshold("content about elections"),
  },
  {
    additionalProperties: false,
    default: {},
    description:
      "Google's safety settings for requests that don't bring their own; what is left out is Google's default.",
  },
);

/** This plugin's options in gateway.yaml. */
export const options = Type.Object(
  {
    api_key: Type.Optional(
      Secret({ description: "The API key; it is sent as a header, never in the address." }),
    ),
    api_keys: Type.Array(apiKeyOption, {
      default: [],
      description:
        "Several API keys that share the requests; one that is refused or at its limit rests for a while.",
    }),
    base_url: Type.String({
      pattern: "^https?://",
      default: "https://generativelanguage.googleapis.com/v1beta",
      description: "Where the API is, its version included.",
    }),
    headers: HeaderMap({
      default: {},
      description: "Further headers of each call.",
    }),
    models: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description: "The models to list, in place of asking the API for its list.",
    }),
    safety,
    thoughts: Type.Boolean({
      default: false,
      description:
        "Whether thinking models are asked for summaries of their thoughts when a request doesn't ask.",
    }),
  },
  { additionalProperties: false, description: "Google's Gemini API." },
);

/** The type of the validated options. */
export type Options = Static<typeof options>;

/** Returns the configured keys. Throws if there is none. */
export function keysOf({ api_key: key, api_keys: keys }: Options): readonly ApiKey[] {
  const all = [...(key === undefined ? [] : [{ key }]), ...keys];
  if (all.length === 0) throw new Error("api_key (or api_keys) is missing");
  return all;
}
