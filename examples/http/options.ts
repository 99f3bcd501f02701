import { apiKeyOption } from "modelyard/credentials";
import { Type } from "modelyard/plugin";

/** What stands under `options` in gateway.yaml. */
export const options = Type.Object(
  {
    base_url: Type.String({
      pattern: "^https?://.*[^/]$",
      description: "Where the upstream is, without a slash at the end.",
    }),
    api_keys: Type.Array(apiKeyOption, {
      minItems: 1,
      description: "What the upstream knows us by; of several one is used for each request.",
    }),
    persona: Type.String({
      default: "",
      description: "Stands before the system messages of every request.",
    }),
  },
  { additionalProperties: false },
);
