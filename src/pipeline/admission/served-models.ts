import type { OfferedModel } from "../../dialects/dialect.ts";
import type { Gateway } from "../../gateway.ts";
import type { Caller } from "../../keys/keyring.ts";
import type { Offer } from "../../targets/model-catalog.ts";
import { matchesAny } from "../../targets/pattern.ts";
import type { Target } from "../../targets/route-table.ts";
import { combined } from "../../targets/needs.ts";

/**
 * The models a caller may ask for by name and be answered: those of exact routes, and all that upstreams list. Those
 * that it may ask only one upstream for are named with it, as `upstream/model`.
 */
export async function servedModels(caller: Caller, gateway: Gateway): Promise<OfferedModel[]> {
  const offers = await gateway.catalog.offers();
  const byName = Map.groupBy(offers, ({ model }) => model.id);
  const byAddress = Map.groupBy(
    offers.filter(({ model }) => !matchesAny(caller.models, model.id)),
    ({ upstream, model }) => `${upstream.id}/${model.id}`,
  );
  const ids = new Set([...gateway.routes.names, ...byName.keys(), ...byAddress.keys()]);
  return [...ids]
    .filter((id) => matchesAny(caller.models, id))
    .flatMap((id) => {
      const listed = byName.get(id) ?? byAddress.get(id) ?? [];
      const targets =
        gateway.routes.resolve(id)?.targets ?? listed.map(({ upstream }) => ({ upstream, model: id }));
      return targets.length > 0 ? [offered(id, { targets, listed, gateway })] : [];
    });
}

/**
 * One model, by any name that leads to these targets; undefined if the name is no route of its own and each of the
 * targets' upstreams has said what it lists, without it. (Such a name is still passed on when it is asked.)
 */
export async function servedModel(
  id: string,
  targets: readonly Place[],
  gateway: Gateway,
): Promise<OfferedModel | undefined> {
  await Promise.all(targets.map(async ({ upstream }) => gateway.catalog.first(upstream)));
  const offers = gateway.catalog.known();
  const mayExist = targets.some(
    ({ upstream, model }) => !gateway.catalog.hasListed(upstream) || gateway.catalog.lists(upstream, model),
  );
  if (!mayExist && !gateway.routes.has(id)) return undefined;
  const byName = offers.filter(({ model }) => model.id === id);
  const byAddress = offers.filter(({ upstream, model }) => `${upstream.id}/${model.id}` === id);
  return offered(id, { targets, listed: byName.length > 0 ? byName : byAddress, gateway });
}

type Place = Pick<Target, "upstream" | "model">;

interface Known {
  readonly targets: readonly Place[];
  /** By whom the id itself is listed. */
  readonly listed: readonly Offer[];
  readonly gateway: Gateway;
}

function offered(id: string, { targets, listed, gateway }: Known): OfferedModel {
  const named = listed.find(({ model }) => model.created !== undefined) ?? listed[0];
  const capabilities = combined(
    targets.map(({ upstream, model }) => gateway.catalog.capabilities(upstream, model)),
  );
  return {
    id,
    created: named?.model.created,
    ownedBy: named ? (named.model.ownedBy ?? named.upstream.id) : "modelyard",
    capabilities: Object.keys(capabilities).length > 0 ? capabilities : undefined,
  };
}
