import type { Json, JsonObject } from "../../../../contract/index.ts";
import { isObject } from "../../../../contract/json.ts";
import { sourceOf } from "../../../../json/source.ts";
import type { ClientState } from "../../../kept-texts.ts";
import { textIn } from "../../../fitting/values.ts";
import { isAnswer, linesAt } from "./kept.ts";
import type { PlacedItem } from "./messages.ts";

/** Why a request can't be answered here: what it refers to isn't kept. */
export interface MissingState {
  readonly code: string;
  readonly param: string;
  readonly message: string;
}

/** The items of a request, with those that it refers to. */
export interface ResolvedInput {
  /** What was said before, by `previous_response_id`. */
  readonly history: readonly JsonObject[];
  /** What the request adds, where references are replaced by what they refer to. */
  readonly own: readonly JsonObject[];
  readonly hasReferences: boolean;
  readonly missing: MissingState | undefined;
}

const REMEDY = "send the whole input, or ask with `store: false`, by which clients do so";

/** Looks up what a request refers to. Throws a GatewayError where all of it is more than a request may have. */
export function resolveInput(asked: JsonObject, client: ClientState): ResolvedInput {
  const { input, previous_response_id: previous } = asked;
  const items = new KeptItems(asked, client);
  let missing: MissingState | undefined;
  const history = typeof previous === "string" ? items.historyOf(previous) : [];
  if (!history) {
    const message = `previous_response_id: no answer "${textIn(previous)}" is kept for this key; ${REMEDY}`;
    missing = { code: "previous_response_not_found", param: "previous_response_id", message };
  }
  let hasReferences = false;
  const own = itemsOf(input).map((item, index) => {
    if (item["type"] !== "item_reference") return item;
    hasReferences = true;
    const id = textIn(item["id"]);
    const found = items.at(id);
    const param = `input[${index}].id`;
    const message = `${param}: no item "${id}" is kept for this key; ${REMEDY}`;
    if (!found) missing ??= { code: "item_not_found", param, message };
    return found ?? item;
  });
  return { history: history ?? [], own, hasReferences, missing };
}

/** Returns items with the places at which the client wrote them. */
export function placed({ history, own }: ResolvedInput): PlacedItem[] {
  return [
    ...history.map((item) => ({ item, place: "previous_response_id" })),
    ...own.map((item, index) => ({ item, place: `input[${index}]` })),
  ];
}

function itemsOf(input: Json | undefined): readonly JsonObject[] {
  if (typeof input === "string") return [{ type: "message", role: "user", content: input }];
  return Array.isArray(input) ? input.filter(isObject) : [];
}

/** Reads what is kept for one request, which a few references could make larger than any body. */
class KeptItems {
  readonly #client: ClientState;
  /** Of the answers that were read. */
  readonly #items = new Map<string, JsonObject>();
  readonly #used = new Set<string>();
  /** The request's bytes, with those that it refers to. */
  #size: number;

  constructor(asked: JsonObject, client: ClientState) {
    this.#client = client;
    this.#size = sourceOf(asked)?.bytes.byteLength ?? 0;
  }

  /** Returns the items up to and with an answer; undefined where one isn't kept. */
  historyOf(id: string): JsonObject[] | undefined {
    const turns: JsonObject[][] = [];
    for (let next: string | null = id; next !== null;) {
      const lines = isAnswer(next) ? linesAt(next, this.#client.kept) : undefined;
      if (!lines) return undefined;
      turns.push([...this.#parsed(lines.input), ...this.#parsed(lines.output)]);
      next = JSON.parse(lines.previous) as string | null;
    }
    return turns.reverse().flat();
  }

  /** Returns the item with this id. */
  at(id: string): JsonObject | undefined {
    const lines = this.#items.has(id) ? undefined : linesAt(id, this.#client.kept);
    for (const item of lines ? this.#parsed(lines.output) : []) this.#items.set(textIn(item["id"]), item);
    const item = this.#items.get(id);
    if (item && this.#used.has(id)) this.#add(JSON.stringify(item));
    this.#used.add(id);
    return item;
  }

  #parsed(line: string): JsonObject[] {
    this.#add(line);
    return JSON.parse(line) as JsonObject[];
  }

  #add(json: string): void {
    this.#size += Buffer.byteLength(json);
    this.#client.expectRoom(this.#size, "input");
  }
}
