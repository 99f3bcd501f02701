import { HeaderMap, HeaderValue, Secret, Type } from "modelyard/plugin";
import type { Static } from "modelyard/plugin";
import { apiKeyOption } from "modelyard/credentials";
import type { ApiKey } from "modelyard/credentials";

/** This plugin's options in gateway.yaml. */
export const options = Type.Object(
  {
    api_key: Type.Optional(Secret({ description: "The API key." })),
    api_keys: Type.Array(apiKeyOption, {
      default: [],
      description:
        "Several API keys that share the requests; one that is refused or at its limit rests for a while.",
    }),
    base_url: Type.String({
      pattern: "^https?://",
      default: "https://api.anthropic.com",
      description: "Where the API is, with or without /v1 at its end.",
    }),
    version: HeaderValue({
      default: "2023-06-01",
      description: "The version of the API (the `anthropic-version` header).",
    }),
    beta: Type.Array(HeaderValue(), {
      default: [],
      description: "Beta features to turn on (the `anthropic-beta` header).",
    }),
    headers: HeaderMap({
      default: {},
      description: "Further headers of each request. They win over those that the plugin sets.",
    }),
    models: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: "The models it offers. Without it the server's own list counts.",
      }),
    ),
    max_tokens: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          "The longest answer to a request that says nothing of it. Without it the model's own limit counts, at most 64000, and 8192 for models before 4.5.",
      }),
    ),
  },
  { additionalProperties: false, description: "Anthropic's Messages API." },
);

/** The type of the validated options. */
export type Options = Static<typeof options>;

/** Returns the configured keys. Throws if there is neither a key nor an authentication header. */
export function keysOf({ api_key: key, api_keys: keys, headers }: Options): readonly ApiKey[] {
  const all = [...(key === undefined ? [] : [{ key }]), ...keys];
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  if (all.length > 0 || names.includes("authorization") || names.includes("x-api-key")) return all;
  throw new Error("api_key (or api_keys) is missing");
}
