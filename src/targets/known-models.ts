import type { ModelCatalog } from "./model-catalog.ts";
import type { RouteTable } from "./route-table.ts";

/** Where a model's name may be known from. */
export interface KnownModels {
  readonly routes: RouteTable;
  readonly catalog: ModelCatalog;
}

/**
 * Whether a model's name is an exact route of the file, or listed by an upstream, alone or as `upstream/model`. Waits for
 * nothing; a name that no list has yet isn't known.
 */
export function isKnownModel(model: string, { routes, catalog }: KnownModels): boolean {
  if (routes.has(model) || catalog.listsAnywhere(model)) return true;
  const address = routes.address(model)?.targets[0];
  return address !== undefined && catalog.lists(address.upstream, address.model);
}
