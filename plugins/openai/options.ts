import { HeaderMap, HeaderValue, Secret, Type } from "modelyard/plugin";
import { apiKeyOption } from "modelyard/credentials";
import type { Static } from "modelyard/plugin";
import { PRESETS } from "./presets.ts";
import type { PresetName } from "./presets.ts";

const STRICT = { additionalProperties: false };

const can = (what: string) => Type.Optional(Type.Boolean({ description: `Whether it ${what}.` }));

const tokens = (what: string) =>
  Type.Optional(Type.Integer({ minimum: 1, description: `${what}, in tokens.` }));

const model = Type.Object(
  {
    id: Type.String({ minLength: 1, description: "The name by which the server knows it." }),
    tools: can("can call tools"),
    vision: can("takes images"),
    json_schema: can("takes `response_format` of type `json_schema`"),
    reasoning: can("reasons before it answers"),
    context: tokens("The longest conversation"),
    output: tokens("The longest answer"),
  },
  STRICT,
);

/** This plugin's options in gateway.yaml. */
export const options = Type.Object(
  {
    preset: Type.Optional(
      Type.Union(
        (Object.keys(PRESETS) as PresetName[]).map((name) => Type.Literal(name)),
        { description: "A well-known server, in place of `base_url`." },
      ),
    ),
    base_url: Type.Optional(
      Type.String({
        pattern: "^https?://",
        description:
          "Where the API is, usually up to `/v1`. `{model}` in it stands for the model's name, as Azure's deployments need it.",
      }),
    ),
    api_key: Type.Optional(Secret({ description: "The API key. Local servers mostly need none." })),
    api_keys: Type.Optional(
      Type.Array(apiKeyOption, {
        minItems: 1,
        description:
          "Several API keys that share the requests. One that is at its limit or refused rests, and is tried again later.",
      }),
    ),
    headers: HeaderMap({
      default: {},
      description: "Further headers of each request. They win over those that the plugin sets.",
    }),
    query: Type.Record(Type.String(), Type.String(), {
      default: {},
      description: "Query parameters of each request, as Azure's `api-version`.",
    }),
    organization: Type.Optional(
      HeaderValue({ description: "The organisation to bill (`OpenAI-Organization`)." }),
    ),
    project: Type.Optional(HeaderValue({ description: "The project to bill (`OpenAI-Project`)." })),
    proxy: Type.Optional(
      Secret({ pattern: "^https?://", description: "The HTTP proxy through which the server is reached." }),
    ),
    developer: Type.Union([Type.Literal("developer"), Type.Literal("system")], {
      default: "developer",
      description: "The role under which the server takes messages of the role `developer`.",
    }),
    models: Type.Optional(
      Type.Array(Type.Union([Type.String({ minLength: 1 }), model]), {
        minItems: 1,
        description:
          "The models it offers: names, or maps that also say what a model can do. Without it the server's own list counts.",
      }),
    ),
  },
  { ...STRICT, description: "A server that speaks OpenAI's API." },
);

/** The type of the validated options. */
export type Options = Static<typeof options>;

/** Throws if options contradict one another. */
export function validateOptions(given: Options): void {
  const { preset, base_url: base, api_key: key, api_keys: keys, headers, models } = given;
  if (preset === undefined && base === undefined) throw new Error("base_url or preset is missing");
  if (preset !== undefined && base !== undefined) throw new Error("base_url and preset exclude each other");
  if (base !== undefined && !URL.canParse(base.replaceAll("{model}", "model"))) {
    throw new Error(`base_url is no address: ${base}`);
  }
  const endpoint = /\/(?:chat\/completions|embeddings|responses)\/?$/.exec(base ?? "")?.[0];
  if (endpoint)
    throw new Error(`base_url ends with ${endpoint}, which the gateway adds by itself: leave it out`);
  if (key !== undefined && keys !== undefined) throw new Error("api_key and api_keys exclude each other");
  if (new Set(keys?.map((each) => each.key)).size !== (keys?.length ?? 0)) {
    throw new Error("api_keys: the same key stands there twice");
  }
  const isKeyless = key === undefined && keys === undefined && Object.keys(headers).length === 0;
  if (preset !== undefined && PRESETS[preset].needsKey && isKeyless) {
    throw new Error(`api_key is missing: ${preset} needs one`);
  }
  if (base?.includes("{model}") && !models) {
    throw new Error("models is missing: with {model} in base_url there is no place to ask for a list");
  }
}
