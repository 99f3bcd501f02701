import type { Api, Order } from "../order.ts";
import type { Spread } from "../statistics.ts";

/** Where requests go, and the headers that they need there. */
export interface Target {
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** What is asked, over and over; the lane of the order is another for each connection. */
export interface Load {
  readonly target: Target;
  readonly order: Order;
  /** Least size of a request's body. */
  readonly bytes: number;
  /** In which API it is asked; as a chat unless said. */
  readonly api?: Api;
  /** A header line that each answer must have, in small letters, as `x-modelyard-cache: hit`. */
  readonly header?: string;
}

export type Job =
  /** `connections` that each ask again as soon as they are answered, for `ms`, or till `count` was asked in all. */
  | {
      readonly kind: "repeat";
      readonly load: Load;
      readonly connections: number;
      readonly ms: number;
      readonly count?: number;
    }
  /** `count` streams at once, whose starts are spread over `ramp` ms. */
  | { readonly kind: "streams"; readonly load: Load; readonly count: number; readonly ramp: number }
  /** One connection to each target, and `count` requests to each of them, in turns. */
  | { readonly kind: "turns"; readonly loads: readonly Load[]; readonly count: number }
  /** `count` streams of which every second is left after its first text. */
  | { readonly kind: "leave"; readonly load: Load; readonly connections: number; readonly count: number };

/** What came of a job, or, for `turns`, of its part for one target. */
export interface Outcome {
  /** Answers that were complete and exact; and, of those that should have been, how many were not. */
  readonly complete: number;
  readonly failed: number;
  /** How many streams were open at the same moment, at most: their first text was there, and not their end. */
  readonly open: number;
  /** Why, for the first few. */
  readonly failures: readonly string[];
  /** Milliseconds from the request to its first text, between texts, and to the answer's end. */
  readonly first: Spread;
  readonly gap: Spread;
  readonly whole: Spread;
}
