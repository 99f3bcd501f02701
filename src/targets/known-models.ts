import type { ModelDirectory } from "./model-catalog.ts";
import type { RouteTable } from "./route-table.ts";

/** Where a model's name may be known from. */
export interface KnownModels {
  readonly routes: RouteTable;
  readonly directory: ModelDirectory;
}

/**
 * Whether a model's name is an exact route of the file, or listed by an upstream, alone or as `upstream/model`. Waits for
 * nothing; a name that no list has yet isn't known.
 */
export function isKnownModel(model: string, { routes, directory }: KnownModels): boolean {
  if (routes.has(model) || directory.listsAnywhere(model)) return true;
  const address = routes.address(model)?.targets[0];
  return address !== undefined && directory.lists(address.upstream, address.model);
}
