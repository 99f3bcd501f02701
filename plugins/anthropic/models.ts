import type { JsonObject, Model } from "modelyard/plugin";
import { UpstreamError } from "modelyard/plugin";
import { asObject, asObjects, asString, get, readModelList } from "modelyard/kit";
import { capabilitiesOf, traitsOf } from "./traits.ts";

/** The options of `fetchModels`. */
export interface ListOptions {
  readonly fetch: typeof fetch;
  /** The API's URL including `/v1`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * Fetches all pages of the server's model list.
 * https://platform.claude.com/docs/en/api/models/list
 */
export async function fetchModels(options: ListOptions): Promise<readonly JsonObject[]> {
  const models: JsonObject[] = [];
  let after = "";
  for (let page = 0; page < MAX_PAGES; page++) {
    const body = await fetchPage(options, after);
    models.push(...asObjects(body["data"]));
    after = asString(body["last_id"]);
    if (body["has_more"] !== true || after === "") break;
  }
  return models.filter((model) => asString(model["id"]) !== "");
}

/** Maps an entry of the model list to the gateway's. */
export function modelOf(id: string, info: JsonObject | undefined): Model {
  const created = Date.parse(asString(info?.["created_at"]));
  return {
    id,
    ownedBy: "anthropic",
    ...(created > 0 && { created: Math.floor(created / 1000) }),
    capabilities: capabilitiesOf(traitsOf(id, info)),
  };
}

const MAX_PAGES = 20;

async function fetchPage(
  { url, headers, signal, ...options }: ListOptions,
  after: string,
): Promise<JsonObject> {
  const query = new URLSearchParams({ limit: "1000", ...(after !== "" && { after_id: after }) });
  const response = await get({ ...options, url: `${url}/models?${query}`, headers }, signal);
  const page = asObject(await readModelList(response, signal));
  if (page) return page;
  throw new UpstreamError("bad-response", "the upstream's list of models can't be understood");
}
