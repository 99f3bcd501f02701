import { nearestFew } from "../../config/nearest.ts";
import type { ChatRequest } from "../contract/index.ts";
import type { OfferedModel } from "../dialects/openai-chat/models.ts";
import { RequestError } from "../dialects/request-error.ts";
import type { Gateway } from "../state/gateway.ts";
import type { Caller } from "../state/keyring.ts";
import { matchesAny } from "../state/pattern.ts";
import type { Resolution, Target } from "../state/route-table.ts";
import type { RequestCall } from "./open-call.ts";

/** Where a request may go, in order, for a caller who may ask for it. */
export interface Plan {
  /** The model's name as the client wrote it. */
  readonly asked: string;
  /** At least one. */
  readonly targets: readonly Target[];
}

const SUGGESTIONS = 3;
/** A name longer than this is nobody's, and is repeated in no error and no log line. */
const LONGEST_NAME = 256;

/**
 * Step 4: finds the targets for the model's name: an exact route, the first pattern that fits, the address
 * `upstream/model`, or the upstreams that list it, in file order.
 * Leaves with `model_not_allowed`, `model_not_found`, `upstream_unavailable`.
 */
export async function route(
  request: Pick<ChatRequest, "model">,
  { caller, call, gateway }: { caller: Caller; call: RequestCall; gateway: Gateway },
): Promise<Plan> {
  const asked = request.model;
  if (asked.length > LONGEST_NAME) {
    const message = `there is no model with a name of ${asked.length} characters`;
    throw new RequestError("model_not_found", message, { param: "model" });
  }
  call.note({ model: asked });
  if (!matchesAny(caller.models, asked)) {
    throw new RequestError("model_not_allowed", `the key "${caller.name}" may not use the model "${asked}"`, {
      param: "model",
    });
  }
  const { via, targets } = gateway.routes.resolve(asked) ?? (await listed(asked, gateway));
  if (targets.length > 0) return { asked, targets };
  if (via) {
    throw new RequestError("upstream_unavailable", `${via} leads to no upstream that is open now`);
  }
  throw new RequestError("model_not_found", await notFound(asked, caller, gateway), { param: "model" });
}

async function listed(model: string, gateway: Gateway): Promise<Resolution> {
  const upstreams = await gateway.directory.offering(model);
  return { via: "", targets: upstreams.map((upstream) => ({ upstream, model })) };
}

async function notFound(asked: string, caller: Caller, gateway: Gateway): Promise<string> {
  const names = (await servedModels(caller, gateway)).map(({ id }) => id);
  const near = nearestFew(asked, names, SUGGESTIONS);
  const hint =
    near.length > 0
      ? `; did you mean ${near.map((name) => `"${name}"`).join(", ")}?`
      : "; GET /v1/models lists them";
  return `there is no model "${asked}"${hint}`;
}

/** The models a caller may ask for by name: those of exact routes, and all that upstreams list. */
export async function servedModels(caller: Caller, gateway: Gateway): Promise<OfferedModel[]> {
  const offers = await gateway.directory.offers();
  const models = new Map<string, OfferedModel>();
  for (const id of gateway.routes.names) models.set(id, { id, created: undefined, ownedBy: "modelyard" });
  for (const { upstream, model } of offers) {
    const { id, created, ownedBy = upstream.id } = model;
    if (models.get(id)?.created === undefined) models.set(id, { id, created, ownedBy });
  }
  return [...models.values()].filter(
    ({ id }) => matchesAny(caller.models, id) && (gateway.routes.resolve(id)?.targets.length ?? 1) > 0,
  );
}
