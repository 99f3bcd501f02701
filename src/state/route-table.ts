import type { RouteSettings } from "../../config/settings.ts";
import type { OpenUpstream } from "./open-upstream.ts";
import type { Strategy } from "./strategy.ts";
import { isPattern, matches, matchesAny } from "./pattern.ts";

/** Where an attempt goes: an upstream, and the model's name there. */
export interface Target {
  readonly upstream: OpenUpstream;
  readonly model: string;
  /** Its share of a route's requests, where the strategy counts weights. */
  readonly weight: number;
}

/** Where a model name leads by the file alone, and the route or address that says so. */
export interface Resolution {
  readonly via: string;
  /** As written; empty when none of the named upstreams is open. */
  readonly targets: readonly Target[];
  readonly strategy: Strategy;
  /** Whether the next target is tried when a conversation is too long for one. */
  readonly onContextLength: "fail" | "next";
}

/** The ways of a model that no route of the file is for. */
export const UNROUTED = { strategy: "failover", onContextLength: "fail" } as const;

/**
 * Which model goes where, as far as gateway.yaml says it: an exact route, the first pattern that fits, or an
 * address `upstream/model`. What upstreams list themselves, the model directory knows.
 */
export class RouteTable {
  readonly #exact = new Map<string, RouteSettings>();
  readonly #patterns: readonly RouteSettings[];
  readonly #upstreams: ReadonlyMap<string, OpenUpstream>;

  constructor(routes: readonly RouteSettings[], upstreams: ReadonlyMap<string, OpenUpstream>) {
    this.#upstreams = upstreams;
    this.#patterns = routes.filter((route) => isPattern(route.model));
    for (const route of routes) if (!isPattern(route.model)) this.#exact.set(route.model, route);
  }

  /** The names that exact routes give to models, in file order. */
  get names(): readonly string[] {
    return [...this.#exact.keys()];
  }

  resolve(model: string): Resolution | undefined {
    const route =
      this.#exact.get(model) ?? this.#patterns.find((candidate) => matches(candidate.model, model));
    if (route) {
      const { strategy, on_context_length: onContextLength } = route;
      return {
        via: `route ${route.model}`,
        targets: this.#targetsOf(route, model),
        strategy,
        onContextLength,
      };
    }
    return this.#address(model);
  }

  #targetsOf(route: RouteSettings, asked: string): Target[] {
    return route.targets.flatMap((target) => {
      const upstream = this.#upstreams.get(target.upstream);
      return upstream ? [{ upstream, model: target.model ?? asked, weight: target.weight }] : [];
    });
  }

  #address(model: string): Resolution | undefined {
    const slash = model.indexOf("/");
    const upstream = this.#upstreams.get(model.slice(0, Math.max(slash, 0)));
    if (!upstream) return undefined;
    const name = model.slice(slash + 1);
    if (name === "" || (upstream.models && !matchesAny(upstream.models, name))) return undefined;
    return { via: `address ${model}`, targets: [{ upstream, model: name, weight: 1 }], ...UNROUTED };
  }
}
