import type { Capabilities, Model } from "../contract/index.ts";
import type { OpenUpstream } from "./open-upstream.ts";
import { matchesAny } from "./pattern.ts";

/** More models than these of one upstream are left out; the longest lists that are known have some hundreds. */
const MAX_MODELS = 5_000;
/** The longest id, and the longest other text, in UTF-16 units. */
const MAX_TEXT = 256;
/** Ids go into headers, logs and metrics. */
const CONTROL = /\p{Cc}/u;

const FLAGS = ["tools", "vision", "json_schema", "reasoning"] as const;
const COUNTS = ["context", "output"] as const;

/** What an upstream lists, within bounds. */
export interface ListedModels {
  /** Those that it may offer. */
  readonly offered: readonly Model[];
  /** Those, and as many of the others as there is room for; of two of one name the first. */
  readonly byId: ReadonlyMap<string, Model>;
  /** How many were left out, because there were too many or their ids can't be used. */
  readonly leftOut: number;
}

/** Throws where a plugin, which need not be written in TypeScript, gives what is no list of models. */
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

/** A copy with what is known of models and nothing else, so that it keeps nothing of a large list in memory. */
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
