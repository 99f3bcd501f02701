import { NGINX } from "../support/nginx.ts";
import type { FrontName } from "./contenders/start.ts";

/** How much is done in each scenario. */
export interface Sizes {
  /** Milliseconds of one round, and of the warm-up before the first. */
  readonly round: number;
  readonly warmUp: number;
  /** Connections that ask at the same time. */
  readonly connections: number;
  readonly pacedStreams: number;
  readonly pacedTokens: number;
  /** Numbers of streams held open. */
  readonly open: readonly number[];
  /** Requests of each contender at one connection, a round. */
  readonly turns: number;
  readonly langfastStreams: number;
  readonly slopeRequests: number;
  readonly coldStarts: number;
}

export const FULL: Sizes = {
  round: 1_000,
  warmUp: 6_000,
  connections: 32,
  pacedStreams: 1_000,
  pacedTokens: 26,
  open: [1_000, 5_000],
  turns: 600,
  langfastStreams: 500,
  slopeRequests: 100_000,
  coldStarts: 7,
};

/** As little as shows that everything works. */
export const SMOKE: Sizes = {
  round: 100,
  warmUp: 20,
  connections: 4,
  pacedStreams: 10,
  pacedTokens: 4,
  open: [10],
  turns: 5,
  langfastStreams: 5,
  slopeRequests: 200,
  coldStarts: 1,
};

/** What a run was asked for. */
export interface Settings {
  readonly sizes: Sizes;
  readonly rounds: number;
  readonly peers: boolean;
  /** Whether nginx and wrk are used where they are installed. */
  readonly usesTools: boolean;
  /** Told besides the figures: what was left out or went wrong. */
  readonly note: (text: string) => void;
}

/** Those of the contenders that can take part. */
export function present(names: readonly FrontName[], settings: Settings): readonly FrontName[] {
  return names.filter(
    (name) =>
      (name !== "portkey" || settings.peers) && (name !== "nginx" || (settings.usesTools && NGINX !== null)),
  );
}
