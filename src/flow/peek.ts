/** What `peek` read: the items up to the first wanted one, and the iterator to go on with. */
export interface Peeked<T> {
  readonly head: readonly T[];
  readonly rest: AsyncIterator<T>;
}

/**
 * Reads until an item is `wanted`. Undefined: the source ended before. More than `limit` unwanted items are
 * the source's fault and end in `tooMany()`'s error. A source that is not read on is told to return.
 */
export async function peek<T>(
  source: AsyncIterator<T>,
  wanted: (item: T) => boolean,
  { limit, tooMany }: { readonly limit: number; readonly tooMany: () => Error },
): Promise<Peeked<T> | undefined> {
  const head: T[] = [];
  try {
    for (;;) {
      const next = await source.next();
      if (next.done) return undefined;
      head.push(next.value);
      if (wanted(next.value)) return { head, rest: source };
      if (head.length >= limit) throw tooMany();
    }
  } catch (error) {
    await source.return?.();
    throw error;
  }
}
