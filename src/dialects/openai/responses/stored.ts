import type { JsonObject } from "../../../contract/index.ts";
import { GatewayError, wrongMethod } from "../../../errors/gateway-error.ts";
import type { StateEndpoint } from "../../dialect.ts";
import { invalid } from "../../fitting/values.ts";
import type { ClientState } from "../../kept-texts.ts";
import { jsonAnswer } from "../../operation-document.ts";
import type { KeptLines } from "./request/kept.ts";
import { isAnswer, linesAt, stemOf } from "./request/kept.ts";

const PATH = "/v1/responses/*";
const PARAMETERS = [{ name: "id", in: "path", required: true, schema: { type: "string" } }];
const LONGEST_PAGE = 100;

/** A kept answer, or the items that it answered. */
export const show: StateEndpoint = {
  kind: "state",
  method: "GET",
  path: PATH,
  document: {
    summary: "Show an answer that is kept, or with `/input_items` behind its id what it answered",
    parameters: PARAMETERS,
    answer: jsonAnswer("The Responses object, or a list of items", { type: "object" }),
  },
  answer(rest, client, query) {
    const { id, action } = partsOf(rest, "GET");
    if (action === "input_items") return page(parsed(found(id, client).input), query);
    if (query.get("stream") === "true") {
      const message = "stream: an answer that is kept comes whole";
      throw new GatewayError("unsupported_parameter", message, { param: "stream" });
    }
    const { response, output } = found(id, client);
    return { ...parsed<JsonObject>(response), output: parsed<JsonObject[]>(output).map(shown) };
  },
};

/** Forgets an answer. */
export const forget: StateEndpoint = {
  kind: "state",
  method: "DELETE",
  path: PATH,
  document: {
    summary: "Forget an answer that is kept",
    parameters: PARAMETERS,
    answer: jsonAnswer("That it is forgotten", { type: "object" }),
  },
  answer(rest, client) {
    const { id } = partsOf(rest, "DELETE");
    found(id, client);
    client.kept?.delete(stemOf(id) ?? "");
    return { id, object: "response", deleted: true };
  },
};

/** What clients of background jobs ask, of which there are none here. */
export const act: StateEndpoint = {
  kind: "state",
  method: "POST",
  path: PATH,
  document: {
    summary: "Cancel an answer: refused, because only background jobs can be cancelled",
    parameters: PARAMETERS,
    answer: jsonAnswer("Never", { type: "object" }),
  },
  answer(rest, client) {
    const { id } = partsOf(rest, "POST");
    found(id, client);
    const message = "an answer that came at once can't be cancelled; close its connection while it comes";
    throw new GatewayError("invalid_value", message, { param: "response_id" });
  },
};

interface AddressParts {
  readonly id: string;
  /** What stands behind the id; empty where nothing does. */
  readonly action: string;
}

/** The methods that an answer takes, and each address behind it. */
const METHODS: ReadonlyMap<string, readonly string[]> = new Map([
  ["", ["GET", "HEAD", "DELETE"]],
  ["input_items", ["GET", "HEAD"]],
  ["cancel", ["POST"]],
]);

/** Throws a GatewayError for an address that there is not, or not for this method. */
function partsOf(rest: string, method: StateEndpoint["method"]): AddressParts {
  const [id = "", ...others] = rest.split("/");
  const action = others.join("/");
  const methods = METHODS.get(action);
  if (!methods) throw unknownAction(action);
  if (methods.includes(method)) return { id, action };
  // Other services have addresses of their own in the place of an id.
  if (stemOf(id) === undefined) throw unknownAction(id);
  throw wrongMethod(method, `/v1/responses/${rest}`, methods);
}

/** Returns the kept answer with exactly this id. */
function found(id: string, { kept }: ClientState): KeptLines {
  const lines = isAnswer(id) ? linesAt(id, kept) : undefined;
  if (lines) return lines;
  throw new GatewayError("response_not_found", `no answer "${id}" is kept for this key`, {
    param: "response_id",
  });
}

function parsed<T extends JsonObject | readonly JsonObject[]>(line: string): T {
  return JSON.parse(line) as T;
}

/** Reasoning without what is kept for the upstream, which the client may not have asked for. */
function shown(item: JsonObject): JsonObject {
  if (item["type"] !== "reasoning") return item;
  return Object.fromEntries(Object.entries(item).filter(([name]) => name !== "encrypted_content"));
}

/** An item as the API lists it; a client may have written a message in a shorter form. */
function listed(item: JsonObject, index: number): JsonObject {
  const { type = "message", role, content } = item;
  const part = role === "assistant" ? "output_text" : "input_text";
  return {
    id: `item_${index}`,
    ...item,
    type,
    ...(typeof content === "string" && { content: [{ type: part, text: content }] }),
  };
}

/** https://platform.openai.com/docs/api-reference/responses/input-items */
function page(items: readonly JsonObject[], query: URLSearchParams): JsonObject {
  const named = items.map(listed);
  const order = query.get("order") ?? "desc";
  if (order === "desc") named.reverse();
  else if (order !== "asc") throw invalid("order", "expected asc or desc");
  const limit = Number(query.get("limit") ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > LONGEST_PAGE)
    throw invalid("limit", `expected a whole number from 1 to ${LONGEST_PAGE}`);
  const after = query.get("after");
  // The last: an item may stand there twice.
  const from = named.findLastIndex(({ id }) => id === after) + 1;
  if (after !== null && from === 0) throw invalid("after", "no such item is in the list");
  const data = named.slice(from, from + limit);
  return {
    object: "list",
    data,
    first_id: data[0]?.["id"] ?? null,
    last_id: data.at(-1)?.["id"] ?? null,
    has_more: from + limit < named.length,
  };
}

function unknownAction(name: string): GatewayError {
  const message = `this gateway has no ${name} for answers; it answers POST /v1/responses, and keeps answers by their ids`;
  return new GatewayError("unknown_url", message);
}
