import type { Capabilities, Model, UpstreamErrorCode } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";
import type { ListedModels } from "./listed-models.ts";
import { listedModels } from "./listed-models.ts";
import type { OpenUpstream } from "./open-upstream.ts";
import { matchesAny } from "./pattern.ts";

// After this time a list is requested again; the old one serves until the new one has arrived.
const FRESH_MS = 5 * 60_000;
const RETRY_MS = 10_000;
/** Retry interval for a missing list while requests need it. */
const NEEDED_RETRY_MS = 1_000;
const LOAD_DEADLINE_MS = 3_000;
/** Longest wait for a list. LibreChat gives up on the list of models after 5 s. */
const WAIT_MS = 1_000;

/** Failures after which the upstream's offer is unknown. */
const OUT_OF_REACH: ReadonlySet<UpstreamErrorCode> = new Set([
  "unreachable",
  "unavailable",
  "timeout",
  "failed",
]);

const NO_MODELS: ListedModels = { offered: [], byId: new Map(), leftOut: 0 };

/** The state of one upstream's list. */
interface CatalogEntry {
  models: ListedModels;
  /** True once a list has arrived. */
  isListed: boolean;
  /** Why the first request failed. */
  failure: string | undefined;
  /** Whether the upstream was unreachable at the last request. */
  isUnreachable: boolean;
  /** When the list was last requested, and is due again, by `now`. */
  askedAt: number;
  due: number;
  /** Resolves when the requested list has arrived or failed. */
  loading: Promise<void> | undefined;
  /** The same, but after WAIT_MS at the latest. */
  waited: Promise<void> | undefined;
}

/** A model that an upstream offers. */
export interface Offer {
  readonly upstream: OpenUpstream;
  readonly model: Model;
}

/**
 * Caches the model lists of all upstreams. A listed name resolves at once. A missing list is awaited for at most a second:
 * by all requests until it has failed once, and afterwards only by requests for an unlisted name.
 */
export class ModelCatalog {
  readonly #upstreams: readonly OpenUpstream[];
  readonly #log: GatewayLogger;
  readonly #now: () => number;
  readonly #catalogs = new Map<OpenUpstream, CatalogEntry>();
  /** The upstreams of each listed model, in file order; undefined after a list has changed. */
  #listing: Map<string, OpenUpstream[]> | undefined;

  constructor(
    upstreams: Iterable<OpenUpstream>,
    log: GatewayLogger,
    now: () => number = () => performance.now(),
  ) {
    this.#upstreams = [...upstreams];
    this.#log = log;
    this.#now = now;
  }

  /** Resolves with all offers, in file order; waits for first lists. */
  async offers(): Promise<readonly Offer[]> {
    await Promise.all(this.#upstreams.map(async (upstream) => this.first(upstream)));
    return this.known();
  }

  /** Returns the offers that are known now. */
  known(): readonly Offer[] {
    return this.#upstreams.flatMap((upstream) =>
      this.#of(upstream).models.offered.map((model) => ({ upstream, model })),
    );
  }

  /** Resolves when every requested list has arrived or failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#upstreams.map(async (upstream) => this.#refresh(upstream).loading));
  }

  /** Requests a list that is due. Returns a promise while an upstream's first list is awaited. */
  first(upstream: OpenUpstream): Promise<void> | undefined {
    const { isListed, failure, waited } = this.#refresh(upstream);
    return isListed || failure !== undefined ? undefined : waited;
  }

  /**
   * Returns the upstreams that list a model, in file order. Returns a promise if there are none and lists are missing, which
   * are then requested, at most once a second.
   */
  offering(id: string): readonly OpenUpstream[] | Promise<readonly OpenUpstream[]> {
    for (const upstream of this.#upstreams) this.#refresh(upstream);
    const listing = this.#listingOf(id);
    if (listing.length > 0) return listing;
    const missing = this.#upstreams.flatMap((upstream) => this.#requestMissing(upstream, id) ?? []);
    return missing.length > 0 ? this.#whenListed(id, missing) : listing;
  }

  /** Resolves when a list names the model, or all missing lists have arrived or failed. */
  #whenListed(id: string, missing: readonly Promise<void>[]): Promise<readonly OpenUpstream[]> {
    return new Promise((resolve) => {
      let left = missing.length;
      const onSettled = (): void => {
        left -= 1;
        const listing = this.#listingOf(id);
        if (listing.length > 0 || left === 0) resolve(listing);
      };
      for (const list of missing) void list.then(onSettled);
    });
  }

  /** Returns the pending list of an upstream that may have the model, and requests it if that is due. */
  #requestMissing(upstream: OpenUpstream, id: string): Promise<void> | undefined {
    const catalog = this.#of(upstream);
    if (catalog.isListed || (upstream.models && !matchesAny(upstream.models, id))) return undefined;
    if (!catalog.loading && this.#now() >= catalog.askedAt + NEEDED_RETRY_MS) this.#load(upstream, catalog);
    return catalog.loading && catalog.waited;
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

  /** Returns the upstreams whose offer is unknown, because they are unreachable or haven't answered yet. */
  unreachable(): readonly OpenUpstream[] {
    return this.#upstreams.filter((upstream) => {
      const { isListed, isUnreachable, failure, loading } = this.#of(upstream);
      return !isListed && (isUnreachable || (failure === undefined && loading !== undefined));
    });
  }

  /** Returns a model's known capabilities; requests a list that is due, without waiting. */
  capabilities(upstream: OpenUpstream, id: string): Capabilities {
    return this.#refresh(upstream).models.byId.get(id)?.capabilities ?? {};
  }

  /** Returns whether an upstream is known to list a model. */
  lists(upstream: OpenUpstream, id: string): boolean {
    const { models: allowed } = upstream;
    return this.#of(upstream).models.byId.has(id) && (!allowed || matchesAny(allowed, id));
  }

  /** Returns whether a list of an upstream has ever arrived. */
  hasListed(upstream: OpenUpstream): boolean {
    return this.#of(upstream).isListed;
  }

  /** Returns why an upstream's first list failed; undefined once one has arrived. */
  listFailure(upstream: OpenUpstream): string | undefined {
    const { isListed, failure } = this.#of(upstream);
    return isListed ? undefined : failure;
  }

  /** Returns whether any upstream is known to list a model. */
  listsAnywhere(id: string): boolean {
    return this.#listingOf(id).length > 0;
  }

  #of(upstream: OpenUpstream): CatalogEntry {
    let catalog = this.#catalogs.get(upstream);
    if (!catalog) {
      catalog = {
        models: NO_MODELS,
        isListed: false,
        failure: undefined,
        isUnreachable: false,
        askedAt: -Infinity,
        due: -Infinity,
        loading: undefined,
        waited: undefined,
      };
      this.#catalogs.set(upstream, catalog);
    }
    return catalog;
  }

  /** Requests a list that is due. */
  #refresh(upstream: OpenUpstream): CatalogEntry {
    const catalog = this.#of(upstream);
    if (!catalog.loading && this.#now() >= catalog.due) this.#load(upstream, catalog);
    return catalog;
  }

  #load(upstream: OpenUpstream, catalog: CatalogEntry): void {
    catalog.askedAt = this.#now();
    // Not in #ask: a models() that throws synchronously would clear `loading` before it is set.
    catalog.loading = this.#ask(upstream, catalog).then(() => {
      catalog.loading = undefined;
    });
    catalog.waited = Promise.race([catalog.loading, Bun.sleep(WAIT_MS)]);
  }

  async #ask(upstream: OpenUpstream, catalog: CatalogEntry): Promise<void> {
    const deadline = AbortSignal.timeout(LOAD_DEADLINE_MS);
    try {
      const list = await Promise.race([upstream.upstream.models(deadline), rejected(deadline)]);
      const models = listedModels(list, upstream);
      this.#warnOfBounds(upstream, models, catalog.models);
      catalog.models = models;
      this.#listing = undefined;
      catalog.isListed = true;
      catalog.isUnreachable = false;
      catalog.due = this.#now() + FRESH_MS;
    } catch (error) {
      if (!catalog.isListed) catalog.failure = messageOf(error);
      catalog.isUnreachable = deadline.aborted || (UpstreamError.is(error) && OUT_OF_REACH.has(error.code));
      catalog.due = this.#now() + RETRY_MS;
      this.#log.warn("listing an upstream's models failed", {
        upstream: upstream.id,
        error: messageOf(error),
      });
    }
  }

  #warnOfBounds({ id }: OpenUpstream, { byId, leftOut }: ListedModels, before: ListedModels): void {
    if (leftOut === 0 || leftOut === before.leftOut) return;
    const message = "model list cut: it has too many models, or ids that can't be used";
    this.#log.warn(message, { upstream: id, taken: byId.size, left_out: leftOut });
  }
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
