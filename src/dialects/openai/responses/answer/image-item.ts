import type { JsonObject } from "../../../../contract/index.ts";
import type { ItemIdentity, ItemStatus } from "./item.ts";
import { OutputItem } from "./item.ts";
import type { EventSink } from "./sink.ts";

/** A picture that the model made. */
export class ImageItem extends OutputItem {
  readonly #data: string;

  constructor(identity: ItemIdentity, data: string, sink: EventSink) {
    super(identity, sink);
    this.#data = data;
  }

  body(status: ItemStatus | "in_progress"): JsonObject {
    const result = status === "in_progress" ? null : this.#data;
    return { id: this.id, type: "image_generation_call", status, result };
  }

  protected end(): void {
    // Its data is in the item.
  }
}
