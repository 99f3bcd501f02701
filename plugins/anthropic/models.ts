import type { JsonObject, Model } from "modelyard/plugin";
import { UpstreamError } from "modelyard/plugin";
import { asObject, asObjects, asString, get, readModelList } from "modelyard/kit";
import { capabilitiesOf, traitsOf } from "./traits.ts";

/** What is needed to ask for the list. */
export interface ListOptions {
  readonly fetch: typeof fetch;
  /** The API's address, up to and with `/v1`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * All models that the server lists, each as it describes it, page after page.
 * https://platform.claude.com/docs/en/api/models/list
 */
export async function fetchModels(options: ListOptions): Promise<readonly JsonObject[]> {
  const models: JsonObject[] = [];
  let after = "";
  for (let page = 0; page < MOST_PAGES; page++) {
    const said = await fetchPage(options, after);
    models.push(...asObjects(said["data"]));
    after = asString(said["last_id"]);
    if (said["has_more"] !== true || after === "") break;
  }
  return models.filter((model) => asString(model["id"]) !== "");
}

/** A model as the gateway lists it. */
export function modelOf(id: string, info: JsonObject | undefined): Model {
  const created = Date.parse(asString(info?.["created_at"]));
  return {
    id,
    ownedBy: "anthropic",
    ...(created > 0 && { created: Math.floor(created / 1000) }),
    capabilities: capabilitiesOf(traitsOf(id, info)),
  };
}

const MOST_PAGES = 20;

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
