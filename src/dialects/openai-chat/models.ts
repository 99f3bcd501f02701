import type { JsonObject } from "../../contract/index.ts";

/** A model as the gateway offers it. */
export interface OfferedModel {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number | undefined;
  readonly ownedBy: string;
}

/** OpenAI's model object. https://platform.openai.com/docs/api-reference/models/object */
export function modelObject({ id, created, ownedBy }: OfferedModel): JsonObject {
  // The field must be an integer of seconds: LobeChat takes 13 digits for milliseconds.
  return { id, object: "model", created: created ?? 0, owned_by: ownedBy };
}

/** OpenAI's list of models. */
export function modelList(models: readonly OfferedModel[]): JsonObject {
  return { object: "list", data: models.map(modelObject) };
}
