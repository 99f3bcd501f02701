import type { JsonObject } from "../../../src/contract/json.ts";

/** How a run stands. `abandoned`: the last socket of its user went while it ran, whoever cut it. */
export type RunState = "running" | "finished" | "failed" | "abandoned";

/** One run that was started, as the emulator saw it. */
export interface RunRecord {
  readonly runId: string;
  /** The job's id, which is the chunks' `executionId`; made even where the answer doesn't name it. */
  readonly jobId: string;
  readonly userId: string;
  readonly promptId: string;
  /** The body's `prompt_meta`, with the messages. */
  readonly promptMeta: JsonObject;
  readonly testCases: readonly unknown[];
  readonly createdBy: string;
  /** Whether its user had a socket when it was started. */
  readonly socketOpen: boolean;
  /** Whether another run of the same user was still running then. */
  readonly overlapped: boolean;
  /** What it says when nothing goes wrong. */
  readonly text: string;
  readonly state: RunState;
  /** How many events of it were emitted so far. */
  readonly framesSent: number;
}

/** One anonymous user. */
export interface UserRecord {
  readonly id: string;
  /** `expired`: the access token isn't good any more, the refresh token is. `revoked`: neither is. */
  readonly access: "good" | "expired" | "revoked";
  /** The newest access token. */
  readonly accessToken: string;
  /** How many of its refresh tokens were used up. */
  readonly refreshTokensUsed: number;
  /** How many sockets it has now. */
  readonly sockets: number;
  /** How many sockets it ever had. */
  readonly socketsOpened: number;
}

/** What was done so far. Calls that were refused are not in it; `Emulator.calls` has them. */
export interface Counts {
  signups: number;
  refreshes: number;
  /** `GET /auth/v1/user` answered 200. */
  verifications: number;
  prompts: number;
  runsStarted: number;
  runsFinished: number;
  runsFailed: number;
  runsAbandoned: number;
}

/** The calls the service knows; `connect` is a socket's. */
export type CallName = "signup" | "refresh" | "user" | "createPrompt" | "initiate" | "connect";
