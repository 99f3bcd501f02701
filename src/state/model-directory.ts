import type { Capabilities, Model, UpstreamErrorCode } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";
import type { OpenUpstream } from "./open-upstream.ts";
import { matchesAny } from "./pattern.ts";

// A list is asked for again after FRESH; until the new one is there, the old one serves.
const FRESH_MS = 5 * 60_000;
const RETRY_MS = 10_000;
// LibreChat waits 5 s for the list of models, so an upstream that doesn't answer must not cost all of it.
const LOAD_DEADLINE_MS = 3_000;

/** Failures that say nothing about what an upstream offers. */
const OUT_OF_REACH: ReadonlySet<UpstreamErrorCode> = new Set(["unavailable", "timeout", "failed"]);

interface Shelf {
  models: readonly Model[];
  /** The same; of two of one name the first. */
  byId: ReadonlyMap<string, Model>;
  /** Whether there ever was a list. */
  listed: boolean;
  /** Whether it was out of reach when it was last asked. */
  silent: boolean;
  /** When it is to be asked again, by performance.now(). */
  due: number;
  loading: Promise<void> | undefined;
}

/** A model that an upstream offers. */
export interface Offer {
  readonly upstream: OpenUpstream;
  readonly model: Model;
}

/** What each upstream says it offers, asked when needed and kept for a while. */
export class ModelDirectory {
  readonly #upstreams: readonly OpenUpstream[];
  readonly #log: GatewayLogger;
  readonly #shelves = new Map<OpenUpstream, Shelf>();
  /** Who lists each model, in file order; undefined until it is asked for after a list has changed. */
  #listing: Map<string, OpenUpstream[]> | undefined;

  constructor(upstreams: Iterable<OpenUpstream>, log: GatewayLogger) {
    this.#upstreams = [...upstreams];
    this.#log = log;
  }

  /** What every upstream offers, in file order; waits only for lists that were never there. */
  async offers(): Promise<readonly Offer[]> {
    await Promise.all(this.#upstreams.map(async (upstream) => this.#refresh(upstream)));
    return this.known();
  }

  /** The same as far as it is known now; waits for nothing. */
  known(): readonly Offer[] {
    return this.#upstreams.flatMap((upstream) => this.#known(upstream).map((model) => ({ upstream, model })));
  }

  /** The upstreams that list a model, in file order; a promise only while there are lists that were never there. */
  offering(id: string): readonly OpenUpstream[] | Promise<readonly OpenUpstream[]> {
    let waits = false;
    for (const upstream of this.#upstreams) if (this.#refresh(upstream)) waits = true;
    return waits ? this.offers().then(() => this.#listingOf(id)) : this.#listingOf(id);
  }

  #listingOf(id: string): readonly OpenUpstream[] {
    this.#listing ??= this.#makeListing();
    return this.#listing.get(id) ?? [];
  }

  #makeListing(): Map<string, OpenUpstream[]> {
    const listing = new Map<string, OpenUpstream[]>();
    for (const { upstream, model } of this.known()) {
      const before = listing.get(model.id);
      if (!before) listing.set(model.id, [upstream]);
      else if (!before.includes(upstream)) before.push(upstream);
    }
    return listing;
  }

  /** The upstreams that have never said what they offer, because they are out of reach. */
  silent(): readonly OpenUpstream[] {
    return this.#upstreams.filter((upstream) => {
      const shelf = this.#shelves.get(upstream);
      return shelf?.silent && !shelf.listed;
    });
  }

  /** What a model can do, as far as its upstream has said; waits for nothing, but asks for a list that is due. */
  capabilities(upstream: OpenUpstream, id: string): Capabilities {
    void this.#refresh(upstream);
    return this.#shelves.get(upstream)?.byId.get(id)?.capabilities ?? {};
  }

  /** Whether an upstream is known to list a model; waits for nothing. */
  lists(upstream: OpenUpstream, id: string): boolean {
    const { models: allowed } = upstream;
    return (this.#shelves.get(upstream)?.byId.has(id) ?? false) && (!allowed || matchesAny(allowed, id));
  }

  /** Whether an upstream has ever said what it lists. */
  hasListed(upstream: OpenUpstream): boolean {
    return this.#shelves.get(upstream)?.listed ?? false;
  }

  /** Whether any upstream is known to list a model; waits for nothing. */
  listsAnywhere(id: string): boolean {
    return this.#listingOf(id).length > 0;
  }

  #known(upstream: OpenUpstream): readonly Model[] {
    const models = this.#shelves.get(upstream)?.models ?? [];
    const { models: allowed } = upstream;
    return allowed ? models.filter((model) => matchesAny(allowed, model.id)) : models;
  }

  /** Asks for a list that is due; what comes back resolves when there is one, or none to be had. */
  #refresh(upstream: OpenUpstream): Promise<void> | undefined {
    let shelf = this.#shelves.get(upstream);
    if (!shelf) {
      shelf = { models: [], byId: new Map(), listed: false, silent: false, due: 0, loading: undefined };
      this.#shelves.set(upstream, shelf);
    }
    if (!shelf.loading && performance.now() >= shelf.due) shelf.loading = this.#ask(upstream, shelf);
    return shelf.listed ? undefined : shelf.loading;
  }

  async #ask(upstream: OpenUpstream, shelf: Shelf): Promise<void> {
    const deadline = AbortSignal.timeout(LOAD_DEADLINE_MS);
    try {
      shelf.models = modelsIn(await Promise.race([upstream.upstream.models(deadline), rejected(deadline)]));
      shelf.byId = new Map(shelf.models.toReversed().map((model) => [model.id, model]));
      this.#listing = undefined;
      shelf.listed = true;
      shelf.silent = false;
      shelf.due = performance.now() + FRESH_MS;
    } catch (error) {
      shelf.silent = deadline.aborted || (UpstreamError.is(error) && OUT_OF_REACH.has(error.code));
      shelf.due = performance.now() + RETRY_MS;
      this.#log.warn("an upstream did not list its models", {
        upstream: upstream.id,
        error: messageOf(error),
      });
    } finally {
      shelf.loading = undefined;
    }
  }
}

/** Throws where a plugin, which need not be written in TypeScript, gives what is no list of models. */
function modelsIn(list: unknown): readonly Model[] {
  if (!Array.isArray(list)) throw new TypeError("what models() gave is no list");
  for (const model of list as readonly unknown[]) {
    const id: unknown = typeof model === "object" && model !== null && "id" in model ? model.id : undefined;
    if (typeof id !== "string") throw new TypeError("models() gave a model without an `id`");
  }
  return list as readonly Model[];
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
