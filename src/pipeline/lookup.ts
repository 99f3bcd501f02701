import type { ChatRequest, CompletionRequest } from "../contract/index.ts";
import { isNumber } from "../contract/index.ts";
import type { DispatchContext } from "../attempts/dispatch-context.ts";
import type { SharedCall } from "../cache/shared-call.ts";
import type { SharedCallPlan } from "../cache/coalescer.ts";
import type { Gateway } from "../gateway.ts";
import type { Caller } from "../keys/keyring.ts";
import type { CachedAnswer, ResponseCache } from "../cache/response-cache.ts";
import type { AnsweredBy } from "../attempts/answer.ts";
import { cacheDirectives } from "../cache/cache-control.ts";
import { cacheKey, rememberedKey, rememberKey } from "../cache/cache-key.ts";
import type { Answer } from "./dispatch.ts";
import type { RequestCall } from "./exchange.ts";
import type { Plan } from "./route.ts";
import { isWorthKeeping } from "../cache/worth-keeping.ts";

type RecallRequest = ChatRequest | CompletionRequest;
type Ask = (errand: DispatchContext) => Promise<Answer>;

interface RecallDeps {
  readonly http: Request;
  readonly caller: Caller;
  readonly plan: Plan;
  readonly call: RequestCall;
  readonly gateway: Gateway;
}

/**
 * Step 6: an answer that was given before, or a share in one that is under way, or what `ask` gets from the
 * upstreams.
 * Leaves with what `ask` does.
 */
export function recall(request: RecallRequest, ask: Ask, around: RecallDeps): Promise<Answer> {
  const { cache } = around.gateway;
  return cache && mayKeep(request, cache) ? recallFrom(cache, { request, ask }, around) : ask(around.call);
}

async function recallFrom(
  cache: ResponseCache,
  { request, ask }: { readonly request: RecallRequest; readonly ask: Ask },
  around: RecallDeps,
): Promise<Answer> {
  const { http, caller, plan, call } = around;
  const [target] = plan.targets;
  if (!target) return ask(call);
  const wish = cacheDirectives(http.headers.get("cache-control"));
  if (wish.noStore) return ask(call);
  const sharedBy = cache.scope === "key" ? caller.name : undefined;
  const parts = { endpoint: call.path, target, sharedBy };
  const remembered = rememberedKey(request, parts);
  const key = remembered ?? cacheKey(request, parts);
  if (wish.noCache) {
    const flight = cache.coalescer.start(undefined, planFlight(key, ask, around));
    return { ...(await flight.subscribe(call)), cache: "bypass" };
  }
  const cached = cache.get(key, wish.maxAge);
  if (cached) {
    if (remembered === undefined) rememberKey(request, parts, key);
    return replay(cached, call);
  }
  // Two names may lead to the same model first and then to others: only who asked for the same shares it all.
  return share(`${key} ${plan.asked}`, { plan: () => planFlight(key, ask, around), cache, call });
}

/** Whether the same request may get the same answer again. */
function mayKeep({ temperature, seed }: RecallRequest, { mode }: ResponseCache): boolean {
  return mode === "all" || temperature === 0 || isNumber(seed);
}

function replay(cached: CachedAnswer, call: RequestCall): Answer {
  const { upstream, upstreamModel } = cached.answered;
  call.note({ upstream, upstreamModel, cache: "hit" });
  return {
    ...cached.answered,
    attempts: 0,
    events: cached.events(),
    cache: "hit",
    age: Math.floor(cached.age / 1000),
    encoded: cached.encoded,
    pays: neverPays,
  };
}

function neverPays(): boolean {
  return false;
}

interface Sharing {
  /** How the flight is made if there is none. */
  readonly plan: () => SharedCallPlan;
  readonly cache: ResponseCache;
  readonly call: RequestCall;
}

/** Boards the flight with this key, or begins it. */
async function share(key: string, { plan, cache, call }: Sharing): Promise<Answer> {
  const running: SharedCall | undefined = cache.coalescer.find(key);
  const state = running ? "follow" : "miss";
  call.note({ cache: state });
  const flight = running ?? cache.coalescer.start(key, plan());
  return { ...(await flight.subscribe(call)), cache: state };
}

/** How the upstreams are called on behalf of all who share it; what comes of it is kept. */
function planFlight(key: string, ask: Ask, { plan, call, gateway }: RecallDeps): SharedCallPlan {
  const [first] = plan.targets;
  const isFirst = ({ upstream, upstreamModel }: AnsweredBy) =>
    upstream === first?.upstream.id && upstreamModel === first.model;
  return {
    // Of the request that began it, so that what is logged of the call can be found by it.
    id: call.id,
    log: call.log,
    ask,
    complete: (answered, events) => {
      // What another target said is not what this one would say when it is well again.
      if (isFirst(answered) && isWorthKeeping(events)) gateway.cache?.set(key, answered, events);
    },
  };
}
