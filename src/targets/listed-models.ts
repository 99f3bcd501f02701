import type { Capabilities, Model } from "../contract/index.ts";
import type { OpenUpstream } from "./open-upstream.ts";
import { matchesAny } from "./pattern.ts";

/** Bound of models per upstream; the longest known lists have some hundreds. */
const MAX_MODELS = 5_000;
/** Bound of ids and other texts, in UTF-16 units. */
const MAX_TEXT = 256;
/** Ids go into headers, logs and metrics. */
const CONTROL = /\p{Cc}/u;

const FLAGS = ["tools", "vision", "json_schema", "reasoning"] as const;
const COUNTS = ["context", "output"] as const;

/** An upstream's model list within bounds. */
export interface ListedModels {
  /** The models that it may offer. */
  readonly offered: readonly Model[];
  /** The offered models, and others up to the bound; of two with one name the first. */
  readonly byId: ReadonlyMap<string, Model>;
  /** Number of models left out because of the bound or an unusable id. */
  readonly leftOut: number;
}

/** Returns a plugin's model list within bounds. Throws a TypeError if it isn't a list of models. */
export function listedModels(list: unknown, { models: allowed }: OpenUpstream): ListedModels {
  if (!Array.isArray(list)) throw new TypeError("what models() gave is no list");
  const offered: Model[] = [];
  const others: Model[] = [];
  let leftOut = 0;
  for (const model of list as readonly unknown[]) {
    const id: unknown = typeof model === "object" && model !== null && "id" in model ? model.id : undefined;
    if (typeof id !== "string") throw new TypeError("models() gave a model without an `id`");
    const group = !allowed || matchesAny(allowed, id) ? offered : others;
    if (!isUsable(id) || group.length >= MAX_MODELS) leftOut += 1;
    else group.push(boundedModel(id, model as Partial<Model>));
  }
  const known = [...offered, ...others.slice(0, MAX_MODELS - offered.length)];
  const byId = new Map(known.toReversed().map((model) => [model.id, model]));
  return { offered, byId, leftOut };
}

function isUsable(id: string): boolean {
  return id !== "" && id.length <= MAX_TEXT && !CONTROL.test(id);
}

/** Copies a model's known members, so that the copy doesn't retain a large list. */
function boundedModel(id: string, { ownedBy, created, capabilities }: Partial<Model>): Model {
  return {
    id,
    ...(typeof ownedBy === "string" && isUsable(ownedBy) && { ownedBy }),
    ...(isCount(created) && { created }),
    ...(typeof capabilities === "object" && capabilities !== null && { capabilities: bounded(capabilities) }),
  };
}

function bounded(capabilities: Capabilities): Capabilities {
  const known: { -readonly [name in keyof Capabilities]: Capabilities[name] } = {};
  for (const name of FLAGS) if (typeof capabilities[name] === "boolean") known[name] = capabilities[name];
  for (const name of COUNTS) if (isCount(capabilities[name])) known[name] = capabilities[name];
  return known;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
