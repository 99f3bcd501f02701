import type { Capabilities, JsonObject } from "../../contract/index.ts";

/** A model as the gateway offers it. */
export interface OfferedModel {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number | undefined;
  readonly ownedBy: string;
  /** What it can do, as far as its upstreams say. */
  readonly capabilities: Capabilities | undefined;
}

/** OpenAI's model object, and `capabilities` where any are known. https://platform.openai.com/docs/api-reference/models/object */
export function modelObject({ id, created, ownedBy, capabilities }: OfferedModel): JsonObject {
  // The field must be an integer of seconds: LobeChat takes 13 digits for milliseconds.
  const own = { id, object: "model", created: created ?? 0, owned_by: ownedBy };
  return capabilities ? { ...own, capabilities: { ...capabilities } } : own;
}

/** OpenAI's list of models. */
export function modelList(models: readonly OfferedModel[]): JsonObject {
  return { object: "list", data: models.map(modelObject) };
}
