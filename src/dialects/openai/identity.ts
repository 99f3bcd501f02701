import type { FoldedFields, JsonObject } from "../../contract/index.ts";
import { foldExtra } from "../../contract/index.ts";

/**
 * What names an answer, what a gateway like this one says upstream, which is about that one's answer, and what comes
 * in events of its own.
 */
export const NOT_EXTRA: ReadonlySet<string> = new Set([
  "id",
  "object",
  "created",
  "model",
  "choices",
  "usage",
  "error",
  "x_modelyard",
]);

/** What names an answer: `id`, `created` and `model` are the upstream's where it gives them, else ours. */
export class Identity {
  #id: string | undefined;
  #created: number | undefined;
  #model: string;
  readonly #prefix: string;
  /** The upstream's other fields beside `choices`: `system_fingerprint`, citations … */
  readonly extra: FoldedFields = {};

  /** `prefix` is how the ids of this kind of answer begin. */
  constructor(model: string, prefix: string) {
    this.#model = model;
    this.#prefix = prefix;
  }

  get id(): string {
    return (this.#id ??= `${this.#prefix}-${crypto.randomUUID().replaceAll("-", "")}`);
  }

  /** Seconds since 1970. */
  get created(): number {
    return (this.#created ??= Math.floor(Date.now() / 1000));
  }

  get model(): string {
    return this.#model;
  }

  /** Takes in the fields of an `extra` at chunk level. */
  learn(fields: JsonObject): void {
    const { id, created, model } = fields;
    if (typeof id === "string" && id !== "") this.#id ??= id;
    if (typeof created === "number" && created > 0) this.#created ??= created;
    if (typeof model === "string" && model !== "") this.#model = model;
    for (const name of Object.keys(fields)) {
      if (!NOT_EXTRA.has(name)) foldExtra(this.extra, { [name]: fields[name] });
    }
  }
}
