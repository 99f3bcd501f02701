import { NGINX } from "../support/nginx.ts";
import type { FrontName } from "./contenders/start.ts";

/** How much is done in each scenario. */
export interface Sizes {
  /** Milliseconds of one round. */
  readonly round: number;
  /** Milliseconds in which a contender does what it has put off (its books, its logs), so that it is paid for too. */
  readonly settle: number;
  /** Requests before the first round, by kind; fewer where they would take more than `within` milliseconds. */
  readonly warmUp: { readonly plain: number; readonly streams: number; readonly within: number };
  /** Connections that ask at the same time. */
  readonly connections: number;
  readonly pacedStreams: number;
  readonly pacedTokens: number;
  /** Milliseconds over which the starts of paced streams are spread: they shouldn't all speak at one moment. */
  readonly ramp: number;
  /** Numbers of streams held open, and the milliseconds between the events of each. */
  readonly open: readonly number[];
  readonly openPace: number;
  /** Requests of each contender at one connection, a round. */
  readonly turns: number;
  readonly langfastStreams: number;
  readonly slopeRequests: number;
  /** Milliseconds after the start, in which what starting took is given back. */
  readonly rest: number;
  readonly coldStarts: number;
}

export const FULL: Sizes = {
  round: 2_000,
  settle: 200,
  warmUp: { plain: 60_000, streams: 12_000, within: 15_000 },
  connections: 32,
  pacedStreams: 1_000,
  pacedTokens: 26,
  ramp: 500,
  open: [1_000, 5_000],
  openPace: 1_000,
  turns: 600,
  langfastStreams: 500,
  slopeRequests: 100_000,
  rest: 2_000,
  coldStarts: 7,
};

/** As little as shows that everything works. */
export const SMOKE: Sizes = {
  round: 100,
  settle: 20,
  warmUp: { plain: 20, streams: 20, within: 8_000 },
  connections: 4,
  pacedStreams: 10,
  pacedTokens: 3,
  ramp: 50,
  open: [10],
  openPace: 100,
  turns: 5,
  langfastStreams: 5,
  slopeRequests: 200,
  rest: 50,
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
