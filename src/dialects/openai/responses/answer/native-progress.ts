import type { JsonObject, NativeEvent } from "../../../../contract/index.ts";
import { isObject } from "../../../../contract/json.ts";

/** How far an answer has come of which the upstream's own frames went out; only a failed end reads them. */
export class NativeProgress {
  #first: string | undefined;
  #last = "";

  take({ data }: NativeEvent): void {
    this.#first ??= data;
    this.#last = data;
  }

  /** The object with which the answer began; undefined where none of its frames went out. */
  get response(): JsonObject | undefined {
    const response = this.#first === undefined ? undefined : parsed(this.#first)["response"];
    return isObject(response) ? response : undefined;
  }

  /** The number of the next event. */
  get next(): number {
    return Number(parsed(this.#last)["sequence_number"] ?? 0) + 1;
  }
}

function parsed(data: string): JsonObject {
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
