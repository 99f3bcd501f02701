import { Secret, Type } from "modelyard/plugin";

/** What stands under `options` in gateway.yaml. */
export const options = Type.Object(
  {
    url: Type.String({ pattern: "^wss?://", description: "Where the upstream takes sockets." }),
    token: Secret({ description: "What the upstream knows us by." }),
    models: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      default: ["small"],
      description: "The models to offer: the upstream has no list of its own.",
    }),
  },
  { additionalProperties: false },
);
