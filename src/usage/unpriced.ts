import type { BudgetSettings } from "../../config/settings.ts";
import type { ModelCatalog } from "../targets/model-catalog.ts";
import type { PriceBook } from "./prices.ts";
import { matchesAny } from "../targets/pattern.ts";
import type { RouteTable, Target } from "../targets/route-table.ts";

/** A key's budget and models. */
export interface Spender {
  readonly name: string;
  /** Patterns of its allowed models. */
  readonly models: readonly string[];
  readonly budget?: BudgetSettings | undefined;
}

interface Priced {
  readonly catalog: ModelCatalog;
  readonly prices: PriceBook;
  readonly routes: RouteTable;
}
type PricedTarget = Pick<Target, "upstream" | "model">;

/** Models named in a warning. */
const NAMED = 5;

/** Returns a warning for each key with a budget in USD and models without a known price. */
export function unpricedWarnings(keys: Iterable<Spender>, gateway: Priced): string[] {
  return [...keys].flatMap((key) => {
    const models = key.budget?.usd === undefined ? [] : unpricedModels(key, gateway);
    if (models.length === 0) return [];
    const more = models.length > NAMED ? ` and ${models.length - NAMED} more` : "";
    return [
      `the key "${key.name}" has a budget in USD, but no price is known for ${models.slice(0, NAMED).join(", ")}${more}: requests for these cost it nothing; add them to the file of \`prices\`, give the key a budget in tokens, or take them from its \`models\``,
    ];
  });
}

/** Returns whether a target has no known price. */
export function isUnpriced({ upstream, model }: PricedTarget, { prices }: Pick<Priced, "prices">): boolean {
  const target = { upstream: upstream.id, plugin: upstream.plugin, model };
  return prices.costOf(target, { input: 0, output: 0 }).version === undefined;
}

/** Returns the known models of a key of which a target has no price. */
function unpricedModels({ models }: Spender, gateway: Priced): string[] {
  const { catalog, routes } = gateway;
  const offers = Map.groupBy(catalog.known(), ({ model }) => model.id);
  return [...new Set([...routes.names, ...offers.keys()])].filter((id) => {
    if (!matchesAny(models, id)) return false;
    const listed = (offers.get(id) ?? []).map(({ upstream }) => ({ upstream, model: id }));
    const targets: readonly PricedTarget[] = routes.resolve(id)?.targets ?? listed;
    return targets.some((target) => isUnpriced(target, gateway));
  });
}
