import { Secret, Type } from "modelyard/plugin";

/** The plugin's `options` in gateway.yaml. */
export const options = Type.Object(
  {
    base_url: Type.String({
      pattern: "^https?://.*[^/]$",
      description: "Where the upstream is, without a slash at the end.",
    }),
    api_key: Secret({ description: "What the upstream knows us by." }),
  },
  { additionalProperties: false },
);
