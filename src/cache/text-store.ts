import type { ResponsesSettings } from "../../config/settings.ts";
import { memorySize } from "./memory-size.ts";

/** About what an entry takes beside its text, in bytes: its id, and its place among the others. */
const ENTRY_SIZE = 256;

interface Entry {
  readonly text: string;
  readonly size: number;
  /** By the store's clock. */
  readonly expires: number;
}

/** What one owner has. */
interface Owned {
  /** The least recently used first, which is also the one that expires first. */
  readonly entries: Map<string, Entry>;
  size: number;
}

/** What a store keeps for one owner. */
export interface OwnedTexts {
  /** Returns the text under an id, and keeps it for longer. */
  get(id: string): string | undefined;
  /** Keeps a text; returns false where it is too large. */
  keep(id: string, text: string): boolean;
  /** Returns whether there was such a text. */
  delete(id: string): boolean;
}

/**
 * Texts that are kept in memory for keys, each for a time after its last use. Together they take at most `max_size`
 * bytes: then the least recently used of the owner that has most go first, so that none drives out the others.
 */
export class TextStore {
  readonly #owners = new Map<string, Owned>();
  readonly #maxSize: number;
  readonly #ttl: number;
  readonly #now: () => number;
  #size = 0;

  /** `now` in ms, from any beginning. */
  constructor({ max_size: maxSize, ttl }: ResponsesSettings, now: () => number = () => performance.now()) {
    this.#maxSize = maxSize;
    this.#ttl = ttl;
    this.#now = now;
  }

  /** What all texts take, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** Returns what one owner has. */
  of(owner: string): OwnedTexts {
    return {
      get: (id) => this.#get(owner, id),
      keep: (id, text) => this.#keep(owner, id, text),
      delete: (id) => this.#delete(owner, id),
    };
  }

  #get(owner: string, id: string): string | undefined {
    this.#expire(owner);
    const entry = this.#owners.get(owner)?.entries.get(id);
    if (entry) this.#keep(owner, id, entry.text);
    return entry?.text;
  }

  #keep(owner: string, id: string, text: string): boolean {
    this.#expire(owner);
    const size = ENTRY_SIZE + memorySize(text);
    if (size > this.#maxSize) return false;
    this.#delete(owner, id);
    const owned = this.#owners.get(owner) ?? { entries: new Map<string, Entry>(), size: 0 };
    owned.entries.set(id, { text, size, expires: this.#now() + this.#ttl });
    owned.size += size;
    this.#size += size;
    this.#owners.set(owner, owned);
    while (this.#size > this.#maxSize) this.#evict();
    return true;
  }

  #delete(owner: string, id: string): boolean {
    const owned = this.#owners.get(owner);
    const entry = owned?.entries.get(id);
    if (!owned || !entry) return false;
    owned.entries.delete(id);
    owned.size -= entry.size;
    this.#size -= entry.size;
    if (owned.entries.size === 0) this.#owners.delete(owner);
    return true;
  }

  #expire(owner: string): void {
    for (const [id, { expires }] of this.#owners.get(owner)?.entries ?? []) {
      if (this.#now() < expires) return;
      this.#delete(owner, id);
    }
  }

  /** Removes the least recently used of the owner that has most. */
  #evict(): void {
    const [owner, { entries }] = [...this.#owners].reduce((most, each) =>
      each[1].size > most[1].size ? each : most,
    );
    for (const id of entries.keys()) {
      this.#delete(owner, id);
      return;
    }
  }
}

/** Opens a store as configured; undefined where it is turned off. */
export function openTextStore(settings: ResponsesSettings): TextStore | undefined {
  return settings.max_size === 0 ? undefined : new TextStore(settings);
}
