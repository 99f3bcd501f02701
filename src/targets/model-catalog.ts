import type { Capabilities, Model, UpstreamErrorCode } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import type { GatewayLogger } from "../log.ts";
import { messageOf } from "../log.ts";
import type { ListedModels } from "./listed-models.ts";
import { listedModels } from "./listed-models.ts";
import type { OpenUpstream } from "./open-upstream.ts";
import { matchesAny } from "./pattern.ts";

// A list is asked for again after FRESH; until the new one is there, the old one serves.
const FRESH_MS = 5 * 60_000;
const RETRY_MS = 10_000;
/** A missing list that somebody needs is asked for sooner. */
const NEEDED_RETRY_MS = 1_000;
const LOAD_DEADLINE_MS = 3_000;
/** Nobody waits longer for a list. LibreChat gives up on the list of models after 5 s. */
const WAIT_MS = 1_000;

/** Failures that say nothing about what an upstream offers. */
const OUT_OF_REACH: ReadonlySet<UpstreamErrorCode> = new Set([
  "unreachable",
  "unavailable",
  "timeout",
  "failed",
]);

const NO_MODELS: ListedModels = { offered: [], byId: new Map(), leftOut: 0 };

/** What is known of one upstream's list. */
interface CatalogEntry {
  models: ListedModels;
  /** Whether there ever was a list. */
  isListed: boolean;
  /** Why asking for it has failed, where there was none before. */
  failure: string | undefined;
  /** Whether it was out of reach when it was last asked. */
  isUnreachable: boolean;
  /** When it was last asked, and is to be asked again, by `now`. */
  askedAt: number;
  due: number;
  /** Resolves when the list that was asked for is there, or none to be had. */
  loading: Promise<void> | undefined;
  /** The same, but WAIT_MS after it was asked for at the latest. */
  waited: Promise<void> | undefined;
}

/** A model that an upstream offers. */
export interface Offer {
  readonly upstream: OpenUpstream;
  readonly model: Model;
}

/**
 * What each upstream says it offers, asked when needed and kept for a while. A name that anybody lists is answered at
 * once. A list is waited for at most a second: by everybody until it has failed once, and from then on only by requests
 * for a name that nobody lists.
 */
export class ModelCatalog {
  readonly #upstreams: readonly OpenUpstream[];
  readonly #log: GatewayLogger;
  readonly #now: () => number;
  readonly #catalogs = new Map<OpenUpstream, CatalogEntry>();
  /** Who lists each model, in file order; undefined until it is asked for after a list has changed. */
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

  /** What every upstream offers, in file order; waits for first lists. */
  async offers(): Promise<readonly Offer[]> {
    await Promise.all(this.#upstreams.map(async (upstream) => this.first(upstream)));
    return this.known();
  }

  /** The same as far as it is known now; waits for nothing. */
  known(): readonly Offer[] {
    return this.#upstreams.flatMap((upstream) =>
      this.#of(upstream).models.offered.map((model) => ({ upstream, model })),
    );
  }

  /** Resolves when every list that was asked for is there, or none to be had. */
  async settled(): Promise<void> {
    await Promise.all(this.#upstreams.map(async (upstream) => this.#refresh(upstream).loading));
  }

  /** Asks for a list that is due. A promise while the first one of an upstream is awaited. */
  first(upstream: OpenUpstream): Promise<void> | undefined {
    const { isListed, failure, waited } = this.#refresh(upstream);
    return isListed || failure !== undefined ? undefined : waited;
  }

  /**
   * The upstreams that list a model, in file order. A promise where there are none yet, and lists are missing: these
   * are asked for, at most once a second.
   */
  offering(id: string): readonly OpenUpstream[] | Promise<readonly OpenUpstream[]> {
    for (const upstream of this.#upstreams) this.#refresh(upstream);
    const listing = this.#listingOf(id);
    if (listing.length > 0) return listing;
    const missing = this.#upstreams.flatMap((upstream) => this.#requestMissing(upstream, id) ?? []);
    return missing.length > 0 ? this.#whenListed(id, missing) : listing;
  }

  /** Resolves when the list that names the model is there, or none of those that are missing is awaited any more. */
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

  /** The list of an upstream that has none and may have the model, asked for unless that was done just now. */
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

  /** The upstreams that have never said what they offer, because they are out of reach or have not answered yet. */
  unreachable(): readonly OpenUpstream[] {
    return this.#upstreams.filter((upstream) => {
      const { isListed, isUnreachable, failure, loading } = this.#of(upstream);
      return !isListed && (isUnreachable || (failure === undefined && loading !== undefined));
    });
  }

  /** What a model can do, as far as its upstream has said; waits for nothing, but asks for a list that is due. */
  capabilities(upstream: OpenUpstream, id: string): Capabilities {
    return this.#refresh(upstream).models.byId.get(id)?.capabilities ?? {};
  }

  /** Whether an upstream is known to list a model; waits for nothing. */
  lists(upstream: OpenUpstream, id: string): boolean {
    const { models: allowed } = upstream;
    return this.#of(upstream).models.byId.has(id) && (!allowed || matchesAny(allowed, id));
  }

  /** Whether an upstream has ever said what it lists. */
  hasListed(upstream: OpenUpstream): boolean {
    return this.#of(upstream).isListed;
  }

  /** Why an upstream that was asked has never said what it lists; undefined where it has. */
  listFailure(upstream: OpenUpstream): string | undefined {
    const { isListed, failure } = this.#of(upstream);
    return isListed ? undefined : failure;
  }

  /** Whether any upstream is known to list a model; waits for nothing. */
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

  /** Asks for a list that is due. */
  #refresh(upstream: OpenUpstream): CatalogEntry {
    const catalog = this.#of(upstream);
    if (!catalog.loading && this.#now() >= catalog.due) this.#load(upstream, catalog);
    return catalog;
  }

  #load(upstream: OpenUpstream, catalog: CatalogEntry): void {
    catalog.askedAt = this.#now();
    // Not by #ask itself: where models() throws at once that would be over before it stands here.
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
