import type { ModelCatalog } from "./model-catalog.ts";
import type { RouteTable } from "./route-table.ts";

/** The sources of known model names. */
export interface KnownModels {
  readonly routes: RouteTable;
  readonly catalog: ModelCatalog;
}

/**
 * Returns whether a model's name is an exact route, or listed by an upstream, alone or as `upstream/model`. Names of lists
 * that haven't arrived yet are unknown.
 */
export function isKnownModel(model: string, { routes, catalog }: KnownModels): boolean {
  if (routes.has(model) || catalog.listsAnywhere(model)) return true;
  const address = routes.address(model)?.targets[0];
  return address !== undefined && catalog.lists(address.upstream, address.model);
}
