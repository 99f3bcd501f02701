import type { Call, ChatRequest, JsonObject } from "modelyard/plugin";
import { badRequest, unsupported } from "./errors.ts";
import { isNothing, objectOf, textOf } from "../json.ts";
import { fitSchema, soundSchema } from "./schema.ts";
import type { Traits } from "../traits.ts";

/**
 * `response_format` as `output_config.format`, which guarantees the schema. Plain `json_object` has no
 * counterpart, and a forced tool in its place would keep the model from thinking and from other tools: it throws
 * `unsupported`, and so does a model without structured outputs. What of a schema can't be enforced is named.
 */
export function formatOf(
  request: ChatRequest,
  traits: Traits,
  call: Pick<Call, "ignored">,
): JsonObject | undefined {
  const format = objectOf(request["response_format"]);
  const type = textOf(format?.["type"]);
  if (isNothing(request["response_format"]) || type === "text") return undefined;
  if (type === "json_object") throw unsupported("knows no JSON without a schema", "response_format");
  const schema = objectOf(objectOf(format?.["json_schema"])?.["schema"]);
  if (type !== "json_schema") throw unsupported("knows no such format", "response_format");
  if (!schema) throw badRequest("response_format json_schema needs a schema", "response_format");
  if (traits.structured === false)
    throw unsupported("takes no JSON schema for this model", "response_format");
  const place = "response_format.json_schema.schema";
  const { schema: fitted, dropped } = fitSchema(soundSchema(schema, { place, call }));
  nameDropped(dropped, place, call);
  return { type: "json_schema", schema: fitted };
}

/** Names the keywords that a schema had to be made without. */
export function nameDropped(dropped: ReadonlySet<string>, place: string, call: Pick<Call, "ignored">): void {
  for (const keyword of dropped) {
    call.ignored(
      `${place}.${keyword}`,
      "structured outputs can't enforce it; the description tells the model",
    );
  }
}
