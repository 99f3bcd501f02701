import { heapStats } from "bun:jsc";

/** What `make` gives, and by how many bytes of memory of the engine it is kept, beside what was there before. */
export function measured<T>(make: () => T): { readonly made: T; readonly bytes: number } {
  const before = kept();
  const made = make();
  return { made, bytes: kept() - before };
}

function kept(): number {
  // What a first collection finalises, only the second one frees.
  Bun.gc(true);
  Bun.gc(true);
  const { heapSize } = heapStats();
  return heapSize;
}

/** A piece of 5 characters out of the middle of a chunk of 300, as a reader of streams cuts it. */
export function pieceOfChunk(number: number): string {
  const chunk = new TextDecoder().decode(
    new TextEncoder().encode(`${"x".repeat(200)}${10_000 + number}${"y".repeat(95)}`),
  );
  return chunk.slice(200, 205);
}
