import type { JsonObject } from "../../../contract/index.ts";

/** What names an answer: `id` and `model` are the upstream's where it gives them, else the gateway's. */
export class MessageIdentity {
  #id: string | undefined;
  #model: string;

  constructor(model: string) {
    this.#model = model;
  }

  get id(): string {
    return (this.#id ??= `msg_${crypto.randomUUID().replaceAll("-", "")}`);
  }

  get model(): string {
    return this.#model;
  }

  /** Takes in the fields of an `extra` at chunk level. */
  learn({ id, model }: JsonObject): void {
    if (typeof id === "string" && id !== "") this.#id ??= id;
    if (typeof model === "string" && model !== "") this.#model = model;
  }
}
