import { nearestNames } from "../../../config/nearest.ts";
import type { Json } from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { isObject } from "../../contract/json.ts";
import { GatewayError } from "../../errors/gateway-error.ts";
import type { ModelRequest } from "../../dialects/model-request.ts";
import type { Gateway } from "../../gateway.ts";
import type { Caller } from "../../keys/keyring.ts";
import type { OpenUpstream } from "../../targets/open-upstream.ts";
import { matchesAny } from "../../targets/pattern.ts";
import type { Resolution, Target } from "../../targets/route-table.ts";
import { UNROUTED } from "../../targets/route-table.ts";
import type { Strategy } from "../../targets/strategy.ts";
import { orderTargets } from "../../targets/strategy.ts";
import { targetName } from "../../targets/attempt-permit.ts";
import type { Need } from "../../targets/needs.ts";
import { missingCapability, requiredCapabilities } from "../../targets/needs.ts";
import type { Exchange, RequestProgress } from "../intake/exchange.ts";
import type { Received } from "../intake/read.ts";
import { shownModel } from "../intake/read.ts";
import { servedModels } from "./served-models.ts";

/** The targets of a request. */
export interface Choice {
  /** At least one, in the order in which they are tried. */
  readonly targets: readonly Target[];
  /** Whether the next target is tried if the conversation is too long for one. */
  readonly onContextLength: "fail" | "next";
}

/** A request and the targets that its caller may ask. Only `route` makes one. */
class Plan<R extends ModelRequest = ModelRequest> implements RequestProgress, Choice {
  declare protected readonly step: "routed";
  readonly exchange: Exchange;
  readonly caller: Caller;
  readonly request: R;
  readonly shownModel: string;
  readonly targets: readonly Target[];
  readonly onContextLength: "fail" | "next";

  constructor({ exchange, caller, request, shownModel: model }: Received<R>, choice: Choice) {
    this.exchange = exchange;
    this.caller = caller;
    this.request = request;
    this.shownModel = model;
    this.targets = choice.targets;
    this.onContextLength = choice.onContextLength;
  }
}

export type { Plan };

/** The parts of a request that routing uses. */
type Routed = Pick<ModelRequest, "model" | "member">;

interface RouteDeps {
  readonly caller: Caller;
  readonly gateway: Gateway;
}

const SUGGESTIONS = 3;
/** Retry-after while an upstream's list is missing, in ms. */
const COME_BACK_MS = 1_000;

/**
 * Finds the targets for the model's name: an exact route, the first pattern that fits, the address `upstream/model`, or the
 * upstreams that list it, in file order. Those that are known not to be able to do what is asked are left out, and the
 * route's strategy says which comes first.
 * Leaves with `model_not_allowed`, `model_not_found`, `unsupported_parameter`, `upstream_unavailable`.
 */
export function route<R extends ModelRequest>(received: Received<R>): Plan<R> | Promise<Plan<R>> {
  const { exchange, caller, request } = received;
  const choice = choose(request, { caller, gateway: exchange.gateway });
  return choice instanceof Promise
    ? choice.then((found) => planned(received, found))
    : planned(received, choice);
}

function planned<R extends ModelRequest>(received: Received<R>, choice: Choice): Plan<R> {
  received.request.expectAskable(choice.targets.map(({ upstream }) => upstream.upstream));
  return new Plan(received, choice);
}

/** Returns the targets of a model name alone. Throws as `route` does. */
export function routeModel(model: string, deps: RouteDeps): Choice | Promise<Choice> {
  return choose({ model, member: () => undefined }, deps);
}

function choose(request: Routed, deps: RouteDeps): Choice | Promise<Choice> {
  const { caller, gateway } = deps;
  const { model } = request;
  expectAllowed(caller, model, "model");
  expectFallbacksAllowed(caller, request.member("fallbacks"));
  const resolution = resolve(model, gateway);
  return resolution instanceof Promise
    ? resolution.then((found) => chooseFrom(found, request, deps))
    : chooseFrom(resolution, request, deps);
}

/** Models that the upstream is to ask in the model's place, as Anthropic's API does, are the caller's choice as well. */
function expectFallbacksAllowed(caller: Caller, fallbacks: Json | undefined): void {
  if (!Array.isArray(fallbacks)) return;
  for (const [index, fallback] of (fallbacks as readonly Json[]).entries()) {
    const model = isObject(fallback) ? fallback["model"] : fallback;
    if (typeof model === "string") expectAllowed(caller, model, `fallbacks[${index}]`);
  }
}

function expectAllowed(caller: Caller, model: string, param: string): void {
  if (matchesAny(caller.models, model)) return;
  const message = `the key "${caller.name}" may not use the model "${shownModel(model)}"`;
  throw new GatewayError("model_not_allowed", message, { param });
}

function chooseFrom(
  resolution: Resolution | undefined,
  request: Routed,
  { caller, gateway }: RouteDeps,
): Choice | Promise<Choice> {
  if (!resolution) return refuseUnlisted(request.model, caller, gateway);
  const { via, targets, strategy, onContextLength } = resolution;
  if (targets.length === 0)
    throw new GatewayError("upstream_unavailable", `${via} leads to no upstream that is open now`);
  const able = ableTargets(targets, requiredCapabilities(request), gateway);
  const user = request.member("user");
  const stickyKey = typeof user === "string" ? `user ${user}` : `key ${caller.name}`;
  return { targets: inOrder(strategy, able, { stickyKey, gateway }), onContextLength };
}

/** Throws `upstream_unavailable` while an upstream that may have the model can't be asked, else `model_not_found`. */
async function refuseUnlisted(asked: string, caller: Caller, gateway: Gateway): Promise<never> {
  const silent = gateway.catalog.unreachable().map(({ id }) => `"${id}"`);
  if (silent.length === 0) return refuseUnknown(asked, caller, gateway);
  const near = await nearestModels(asked, caller, gateway);
  const message = `no upstream lists "${shownModel(asked)}"; ${silent.join(", ")} can't be asked for models just now${near}`;
  throw new GatewayError("upstream_unavailable", message, { retryAfterMs: COME_BACK_MS });
}

/** Returns the resolution of a name, as a promise while lists are awaited; undefined for an unknown model. */
export function resolve(
  model: string,
  gateway: Gateway,
): Resolution | undefined | Promise<Resolution | undefined> {
  // A lone surrogate can't be sent upstream.
  if (!model.isWellFormed()) return undefined;
  const routed = gateway.routes.resolve(model);
  if (routed) return routed;
  const listing = gateway.catalog.offering(model);
  return listing instanceof Promise
    ? listing.then((upstreams) => offeredBy(upstreams, model))
    : offeredBy(listing, model);
}

function offeredBy(upstreams: readonly OpenUpstream[], model: string): Resolution | undefined {
  if (upstreams.length === 0) return undefined;
  const targets = upstreams.map((upstream) => ({ upstream, model, weight: 1 }));
  return { via: "the upstreams that list it", targets, ...UNROUTED };
}

/** Returns the targets that may have the required capabilities. Throws UpstreamError `unsupported` if none has. */
function ableTargets(
  targets: readonly Target[],
  needs: readonly Need[],
  gateway: Gateway,
): readonly Target[] {
  if (needs.length === 0) return targets;
  const lacking = (target: Target) =>
    missingCapability(gateway.catalog.capabilities(target.upstream, target.model), needs);
  const able = targets.filter((target) => !lacking(target));
  const lack = targets[0] && lacking(targets[0]);
  if (able.length > 0 || !lack) return able;
  throw new UpstreamError("unsupported", `no upstream for this model takes ${lack.words}`, {
    param: lack.param,
  });
}

/** Orders targets by the route's strategy. */
function inOrder(
  strategy: Strategy,
  targets: readonly Target[],
  { stickyKey, gateway }: { readonly stickyKey: string; readonly gateway: Gateway },
): readonly Target[] {
  if (targets.length === 1 || strategy === "failover") return targets;
  const candidates = targets.map((target) => ({
    target,
    name: targetName(target),
    weight: target.weight,
    ...gateway.targets.loadOf(target),
  }));
  return orderTargets(strategy, candidates, { stickyKey, random: Math.random }).map(({ target }) => target);
}

/** Throws `model_not_found` with the nearest names. */
export async function refuseUnknown(asked: string, caller: Caller, gateway: Gateway): Promise<never> {
  const near = await nearestModels(asked, caller, gateway);
  const message = `there is no model "${shownModel(asked)}"${near || "; GET /v1/models lists them"}`;
  throw new GatewayError("model_not_found", message, { param: "model" });
}

/** Returns the end of a message that proposes the nearest names; empty where none is near. */
async function nearestModels(asked: string, caller: Caller, gateway: Gateway): Promise<string> {
  const names = (await servedModels(caller, gateway)).map(({ id }) => id);
  const near = nearestNames(asked, names, SUGGESTIONS).map((name) => `"${name}"`);
  return near.length > 0 ? `; did you mean ${near.join(", ")}?` : "";
}
