import type { Json, JsonObject } from "../../../../contract/index.ts";
import { isObject } from "../../../../contract/json.ts";
import type { KeptTexts } from "../../../kept-texts.ts";
import type { PlacedItem } from "./messages.ts";

/** An answer that is kept, with what it answered. */
export interface KeptResponse {
  /** The id of the answer that it goes on from. */
  readonly previous: string | null;
  /** The items of the request alone, without those of `previous`. */
  readonly input: readonly JsonObject[];
  readonly output: readonly JsonObject[];
  /** The whole object but its output. */
  readonly response: JsonObject;
}

/** Of an id that this gateway makes, what an answer and its items have in common. */
const STEM = /^[a-z]+_([0-9a-f]{40})[0-9a-f]{8}$/;

/** Returns what an answer, or one of its items, is kept under; undefined for an id that is not of this gateway. */
export function stemOf(id: string): string | undefined {
  return STEM.exec(id)?.[1];
}

/** Returns the answer with this id, or with an item of this id. */
export function keptAt(id: string, kept: KeptTexts): KeptResponse | undefined {
  const stem = stemOf(id);
  const text = stem === undefined ? undefined : kept.get(stem);
  return text === undefined ? undefined : (JSON.parse(text) as KeptResponse);
}

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

/** Looks up what a request refers to. */
export function resolveInput(
  { input, previous_response_id: previous }: JsonObject,
  kept: KeptTexts | undefined,
): ResolvedInput {
  let missing: MissingState | undefined;
  const asked = typeof previous === "string" ? previous : undefined;
  const history = asked === undefined ? [] : historyOf(asked, kept);
  if (!history) {
    const message = `previous_response_id: no answer "${asked}" is kept for this key; ${REMEDY}`;
    missing = { code: "previous_response_not_found", param: "previous_response_id", message };
  }
  let hasReferences = false;
  const own = itemsOf(input).map((item, index) => {
    if (item["type"] !== "item_reference") return item;
    hasReferences = true;
    const id = typeof item["id"] === "string" ? item["id"] : "";
    const found = itemAt(id, kept);
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

function historyOf(id: string, kept: KeptTexts | undefined): JsonObject[] | undefined {
  const turns: JsonObject[][] = [];
  for (let next: string | null = id; next !== null;) {
    const found: KeptResponse | undefined = kept && keptAt(next, kept);
    if (!found) return undefined;
    turns.push([...found.input, ...found.output]);
    next = found.previous;
  }
  return turns.reverse().flat();
}

function itemAt(id: string, kept: KeptTexts | undefined): JsonObject | undefined {
  return kept && keptAt(id, kept)?.output.find((item) => item["id"] === id);
}
