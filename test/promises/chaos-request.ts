import type { Random } from "../support/random.ts";

/**
 * One request of a chaos run: what it asks, what the upstream does with it, when its client leaves, and what came
 * of it.
 * @module
 */
export interface ChaosRequest {
  readonly id: string;
  readonly key: string;
  readonly endpoint: Endpoint;
  readonly stream: boolean;
  /** Whether a stream is to tell its usage. */
  readonly includeUsage: boolean;
  readonly model: string;
  /** Which of a few prompts it shares with others, so that the cache may answer; else its answer is its own. */
  readonly shared: number | undefined;
  readonly script: Script;
  readonly leaves: Leaving;
  /** What came of it. */
  readonly seen: Seen;
}

export type Endpoint = "chat/completions" | "completions" | "embeddings";

/** What the upstream does. */
export interface Script {
  /** So many calls are first answered with 500. */
  readonly failures: number;
  /** Milliseconds until it begins. */
  readonly delay: number;
  /** Pieces of text, each of one token. */
  readonly pieces: number;
  /** Whether it says a piece of a stream only when the client has read the one before; else all at once. */
  readonly inStep: boolean;
  /** `untold`: whole, but without usage. `error`: an error object in the stream. `cut`: an end too early. */
  readonly end: "whole" | "untold" | "error" | "cut" | "reset";
}

/** When the client leaves: never, after so many milliseconds, with the headers, or after so many pieces. */
export type Leaving =
  | { readonly at: "never" | "headers" }
  | { readonly at: "time" | "piece"; readonly after: number };

/** What both ends of a request have seen; times by `performance.now()`. */
export interface Seen {
  /** Whether the upstream was asked. */
  asked: boolean;
  /** Pieces the upstream has sent, those of all attempts. */
  sent: number;
  /** Pieces the client has read. */
  received: number;
  /** Of the answer's headers. */
  status: number | undefined;
  /** The output tokens of which the answer spoke. */
  told: number | undefined;
  /** `read`: to the end. `left`: it went. `lost`: the gateway did. */
  end: "read" | "left" | "lost" | undefined;
  endedAt: number;
}

/** What prompts are said to take by an upstream that tells the usage. */
export const PROMPT_TOKENS = 11;

const PROMPTS = 30;

/** Makes the nth request of a run. */
export function chaosRequest(nth: number, random: Random): ChaosRequest {
  const endpoint = random.weighted({ "chat/completions": 6, completions: 2, embeddings: 1 });
  const shared = endpoint !== "embeddings" && random.chance(0.25) ? random.between(1, PROMPTS) : undefined;
  return {
    id: `chaos-${nth}`,
    key: random.weighted({ free: 12, minute: 2, narrow: 1, tokens: 1, budget: 1 }),
    endpoint,
    stream: endpoint !== "embeddings" && random.chance(0.7),
    includeUsage: random.chance(0.5),
    model: random.chance(0.02) ? "unknown" : "m",
    shared,
    script: {
      failures: random.chance(0.92) ? 0 : random.chance(0.6) ? 1 : 9,
      delay: random.chance(0.3) ? random.between(1, 20) : 0,
      pieces: random.between(1, 12),
      // Who leaves an answer that is shared must not keep it from the others.
      inStep: shared === undefined && random.chance(0.5),
      end: random.weighted({ whole: 60, untold: 15, error: 5, cut: 5, reset: 5 }),
    },
    leaves: leaving(random),
    seen: {
      asked: false,
      sent: 0,
      received: 0,
      status: undefined,
      told: undefined,
      end: undefined,
      endedAt: 0,
    },
  };
}

function leaving(random: Random): Leaving {
  const at = random.weighted({ never: 60, headers: 5, time: 20, piece: 15 });
  if (at === "time") return { at, after: random.between(0, 40) };
  return at === "piece" ? { at, after: random.between(1, 10) } : { at };
}
