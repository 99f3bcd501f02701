import { LRUCache } from "lru-cache";
import type { CacheSettings } from "../../config/settings.ts";
import type { Batches, EmbedResult, NextBatch } from "../contract/index.ts";
import { END_OF_BATCHES } from "../answer/batches.ts";
import type { EventBuffer } from "./event-buffer.ts";
import { BEGINNING } from "./event-buffer.ts";
import { Coalescer } from "./coalescer.ts";
import type { EncodedAnswer, EncodedForms, Provenance } from "../attempts/answer.ts";
import { RepeatedRequests } from "./cache-key.ts";

/** Rough size of an entry without its events, in bytes: its key, the upstream's name, and its place in the cache. */
const ENTRY_SIZE = 768;

/** A cached answer. */
export interface CachedAnswer {
  readonly answered: Provenance;
  /** The age, in ms. */
  readonly age: number;
  /** The answer's events, from the beginning on and at the reader's pace. */
  events(): Batches;
  readonly encoded: EncodedForms;
}

/** A vector, and what is known of the answer in which it came. */
export interface KeptVector {
  readonly answered: Provenance;
  /** The upstream's own name of the model, where it told one. */
  readonly model: { readonly model?: string };
  readonly vector: Vector;
  /** The tokens of its input. */
  readonly tokens: number;
  /** Whether the upstream has told these tokens of this input alone. */
  readonly isExact: boolean;
}

type Vector = EmbedResult["vectors"][number];

/** A cached vector. */
export interface CachedVector extends Omit<KeptVector, "vector"> {
  /** The age, in ms. */
  readonly age: number;
  vector(): Vector;
}

/** Numbers take a third of the memory of a list of them. */
interface VectorEntry extends Omit<KeptVector, "vector"> {
  readonly packed: Float64Array | Float32Array | string;
  readonly stored: number;
}

interface AnswerEntry {
  readonly answered: Provenance;
  readonly events: EventBuffer;
  /** By the clock of the cache, in ms. */
  readonly stored: number;
  readonly encoded: ReadonlyMap<string, EncodedAnswer>;
}

type Entry = AnswerEntry | VectorEntry;

/**
 * Answers that were given before and may be given again, and those that are under way and may be shared. Both
 * are bounded: together the entries take at most `max_size` bytes, of which the longest unused go first, and so
 * do the answers under way; no answer larger than `max_entry` is kept.
 */
export class ResponseCache {
  readonly mode: CacheSettings["mode"];
  readonly scope: CacheSettings["scope"];
  readonly coalescer: Coalescer;
  readonly repeated = new RepeatedRequests();
  readonly #ttl: number;
  readonly #now: () => number;
  readonly #entries: LRUCache<string, Entry>;
  #evicted = 0;

  /** `now` in ms, from any beginning. `max_size` must be more than 0. */
  constructor(settings: CacheSettings, now: () => number = () => performance.now()) {
    const { mode, scope, ttl, max_size: maxSize } = settings;
    const maxEntry = Math.min(settings.max_entry, maxSize);
    this.mode = mode;
    this.scope = scope;
    this.#ttl = ttl;
    this.#now = now;
    this.coalescer = new Coalescer({ maxSize, maxEntry });
    this.#entries = new LRUCache({
      maxSize,
      maxEntrySize: maxEntry,
      sizeCalculation: sizeOf,
      dispose: (_entry, _key, reason) => {
        if (reason === "evict") this.#evicted += 1;
      },
    });
  }

  /** The number of cached answers. */
  get count(): number {
    return this.#entries.size;
  }

  /** The size of the cached answers, in bytes. */
  get size(): number {
    return this.#entries.calculatedSize;
  }

  /** The number of answers that were evicted for others. */
  get evicted(): number {
    return this.#evicted;
  }

  /** Returns the answer under a key, if there is one that isn't older than `maxAge` ms. */
  get(key: string, maxAge = Infinity): CachedAnswer | undefined {
    const { entry, age } = this.#find(key, maxAge) ?? {};
    if (!entry || age === undefined || !("events" in entry)) return undefined;
    return {
      answered: entry.answered,
      age,
      events: () => new Replay(entry.events),
      encoded: {
        get: (form) => entry.encoded.get(form),
        keep: (form, sent) => this.#keep(key, entry.events, new Map([...entry.encoded, [form, sent]])),
      },
    };
  }

  /** Stores a complete, successful answer in place of an older one, unless it is too large. */
  set(key: string, answered: Provenance, events: EventBuffer): void {
    events.settle();
    this.#entries.set(key, { answered, events, stored: this.#now(), encoded: new Map() });
  }

  /** Returns the vector under a key, if there is one that isn't older than `maxAge` ms. */
  vector(key: string, maxAge = Infinity): CachedVector | undefined {
    const { entry, age } = this.#find(key, maxAge) ?? {};
    if (!entry || age === undefined || !("packed" in entry)) return undefined;
    const { packed, ...kept } = entry;
    return { ...kept, age, vector: () => (packed instanceof Float64Array ? Array.from(packed) : packed) };
  }

  /** Stores a vector in place of an older one, unless it is too large. */
  setVector(key: string, { vector, ...kept }: KeptVector): void {
    // A plugin's own array may be a part of a larger one, or written to again.
    const packed = Array.isArray(vector)
      ? Float64Array.from(vector)
      : (vector as Float32Array | string).slice();
    this.#entries.set(key, { ...kept, packed, stored: this.#now() });
  }

  #find(key: string, maxAge: number): { readonly entry: Entry; readonly age: number } | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    const age = this.#now() - entry.stored;
    if (age > this.#ttl) this.#entries.delete(key);
    return age > Math.min(maxAge, this.#ttl) ? undefined : { entry, age };
  }

  #keep(key: string, events: EventBuffer, encoded: AnswerEntry["encoded"]): void {
    const entry = this.#entries.peek(key);
    // Another answer may have come in its place.
    if (!entry || !("events" in entry) || entry.events !== events) return;
    const longer = { ...entry, encoded };
    // What grows beyond the bound would be thrown out whole.
    if (sizeOf(longer) <= this.#entries.maxEntrySize) this.#entries.set(key, longer);
  }
}

/** Returns the cache of a configuration; undefined where it is off. */
export function openResponseCache(settings: CacheSettings): ResponseCache | undefined {
  return settings.mode === "off" || settings.max_size === 0 ? undefined : new ResponseCache(settings);
}

function sizeOf(entry: Entry): number {
  if ("packed" in entry) return ENTRY_SIZE + memorySizeOf(entry.packed);
  const { events, encoded } = entry;
  let size = ENTRY_SIZE + events.size;
  for (const { bytes } of encoded.values()) size += bytes.byteLength;
  return size;
}

function memorySizeOf(packed: VectorEntry["packed"]): number {
  return typeof packed === "string" ? packed.length * 2 : packed.byteLength;
}

/** Reads a cached answer, at its reader's pace. */
class Replay implements Batches {
  readonly #events: EventBuffer;
  #place = BEGINNING;
  #isOver = false;

  constructor(events: EventBuffer) {
    this.#events = events;
  }

  next(): NextBatch {
    if (this.#isOver) return END_OF_BATCHES;
    const { batch, to } = this.#events.read(this.#place);
    this.#place = to;
    this.#isOver = batch.length === 0;
    return this.#isOver ? END_OF_BATCHES : { done: false, value: batch };
  }

  return(): Promise<unknown> {
    this.#isOver = true;
    return Promise.resolve();
  }
}
