import { matchesPattern } from "../../config/pattern.ts";
import type { RouteSettings } from "../../config/settings.ts";
import type { OpenUpstream } from "./open-upstream.ts";
import type { Strategy } from "./strategy.ts";
import { isPattern, matchesAny } from "./pattern.ts";

/** An upstream and its name for the model: the destination of an attempt. */
export interface Target {
  readonly upstream: OpenUpstream;
  readonly model: string;
  /** Its share of a route's requests, where the strategy counts weights. */
  readonly weight: number;
}

/** The targets of a model name by the file alone, and the route or address that names them. */
export interface Resolution {
  readonly via: string;
  /** As written; empty when none of the named upstreams is open. */
  readonly targets: readonly Target[];
  /** The upstreams that are named as well, but are disabled or could not be opened. */
  readonly absent: readonly string[];
  readonly strategy: Strategy;
  /** Whether the next target is tried when a conversation is too long for one. */
  readonly onContextLength: "fail" | "next";
}

/** Whether an upstream is known to list a model under a name. */
export type Lists = (upstream: OpenUpstream, model: string) => boolean;

/** The ways of a model that no route of the file is for. */
export const UNROUTED = { strategy: "failover", onContextLength: "fail", absent: [] } as const;

/**
 * Which model goes where, as far as gateway.yaml says it: an exact route, the first pattern that fits, or an
 * address `upstream/model`. What upstreams list themselves, the model directory knows.
 */
export class RouteTable {
  readonly #exact = new Map<string, RouteSettings>();
  readonly #patterns: readonly RouteSettings[];
  readonly #upstreams: ReadonlyMap<string, OpenUpstream>;
  readonly #lists: Lists;

  constructor(routes: readonly RouteSettings[], upstreams: ReadonlyMap<string, OpenUpstream>, lists: Lists) {
    this.#upstreams = upstreams;
    this.#lists = lists;
    this.#patterns = routes.filter((route) => isPattern(route.model));
    for (const route of routes) if (!isPattern(route.model)) this.#exact.set(route.model, route);
  }

  /** The names that exact routes give to models, in file order. */
  get names(): readonly string[] {
    return [...this.#exact.keys()];
  }

  /** Returns whether an exact route has this name. */
  has(model: string): boolean {
    return this.#exact.has(model);
  }

  /** Returns the first match for a name; undefined without one. */
  resolve(model: string): Resolution | undefined {
    return this.matches(model).next().value;
  }

  /** Yields every match for a name, in order of precedence. */
  *matches(model: string): Generator<Resolution, undefined> {
    const exact = this.#exact.get(model);
    if (exact) yield this.#resolutionOf(exact, model);
    for (const route of this.#patterns)
      if (matchesPattern(route.model, model)) yield this.#resolutionOf(route, model);
    const address = this.address(model);
    if (address) yield address;
  }

  #resolutionOf(route: RouteSettings, asked: string): Resolution {
    const { model, strategy, on_context_length: onContextLength, targets } = route;
    const absent = targets.map(({ upstream }) => upstream).filter((id) => !this.#upstreams.has(id));
    return {
      via: `route ${model}`,
      targets: route.targets.flatMap((target) => {
        const upstream = this.#upstreams.get(target.upstream);
        return upstream ? [{ upstream, model: target.model ?? asked, weight: target.weight }] : [];
      }),
      absent: [...new Set(absent)],
      strategy,
      onContextLength,
    };
  }

  /** Returns the target of a name read as `upstream/model`; undefined if it isn't such an address. */
  address(model: string): Resolution | undefined {
    const slash = model.indexOf("/");
    const upstream = this.#upstreams.get(model.slice(0, Math.max(slash, 0)));
    if (!upstream) return undefined;
    const name = model.slice(slash + 1);
    // Some upstreams list names that look like addresses (OpenRouter's `openrouter/auto`): the listed name takes precedence.
    if (this.#lists(upstream, model)) return undefined;
    if (name === "" || (upstream.models && !matchesAny(upstream.models, name))) return undefined;
    return { via: `address ${model}`, targets: [{ upstream, model: name, weight: 1 }], ...UNROUTED };
  }
}
