import type { Json, JsonObject } from "../../../src/contract/json.ts";
import type { RunRecord } from "./records.ts";

/**
 * How a call goes wrong, or slowly. With neither `status`, `body` nor `hang` it is answered as usual, after
 * `delay`.
 */
export interface CallFault {
  /** Answers with this status; a 4xx or 5xx with the error body the service would send, unless `body` says another. */
  readonly status?: number;
  /** GoTrue's `error_code`, where the usual one for this status isn't meant. */
  readonly errorCode?: string;
  /** Answers with this body: a string as it is (malformed JSON, an HTML page), anything else as JSON. */
  readonly body?: Json;
  /** The header `retry-after`: seconds, or an HTTP date. */
  readonly retryAfter?: number | string;
  /** Never answers. */
  readonly hang?: true;
  /** Milliseconds before anything is done. */
  readonly delay?: number;
  /** Whether the call is carried out all the same, and only its answer is lost. Default: `status` below 400. */
  readonly carriedOut?: boolean;
  /** Only the next so many calls; after them all is well again. Default: all. */
  readonly times?: number;
}

/** A fault, or a function that is asked at each call (`call` counts from 1 from the emulator's start). */
export type CallScript = CallFault | ((call: number) => CallFault | undefined);

/** How a run breaks. */
export interface RunFault {
  /** After how many events; 0 is before the first. Where the run has no more than these, all goes well. */
  readonly after: number;
  /**
   * `failed`, `error`: a chunk with that `status`. `error-member`: a chunk with an `error` object.
   * `error-text`: a chunk with an `error` string. `drop`: the user's sockets are cut ("transport close").
   * `disconnect`: they are sent away ("io server disconnect"). `silence`: nothing more comes.
   */
  readonly how: "failed" | "error" | "error-member" | "error-text" | "drop" | "disconnect" | "silence";
  /** What the error says. */
  readonly message?: string;
}

/** How a run goes. Left out: one chunk after the other at once, and all ends well. */
export interface RunScript {
  /** What is said. Default `defaultAnswer`: the last user message, or the text that it asks for by `#gen SEED LENGTH`. */
  answer?: string | ((run: RunRecord) => string);
  /** The cumulative snapshots of a text; the last should be the whole. Default `inPieces(12)`. */
  pieces?: (text: string) => readonly string[];
  /**
   * `rewrite`: from the middle on the first character is another than before. `shrink`: one snapshot in the
   * middle is shorter than the one before. `repeat`: each comes twice. `empty-first`: one with no text first.
   */
  snapshots?: "normal" | "rewrite" | "shrink" | "repeat" | "empty-first";
  /** Milliseconds between events. Default 0: all in one burst. */
  pace?: number;
  /** Called before each event (counted from 0, the end marks included); a promise holds it back. */
  before?: (event: number, run: RunRecord) => Promise<void> | undefined;
  /** So many events go out before the HTTP answer does (Infinity: all). Default 0. */
  early?: number;
  /** Milliseconds that the HTTP answer is held back. Default 20 where there are early events, else 0. */
  answerDelay?: number;
  /** Whether the HTTP answer has `jobs`. Default true. */
  namesJob?: boolean;
  /** Whether events have `executionId`. Default true. */
  namesExecution?: boolean;
  /** Events as JSON strings instead of objects. */
  asText?: boolean;
  /** The mark of the end: `status: "completed"`, the event `completion_finished`, both in this order, or none. Default "both". */
  end?: "status" | "finished" | "both" | "none";
  /** The completed chunk has no `content`. */
  bareEnd?: boolean;
  /** `completion_finished` comes without a payload. */
  bareFinished?: boolean;
  /** The last chunk's `finish_reason`; null leaves it out. Default "stop". */
  finishReason?: string | null;
  /** The last chunk's `usage`; null leaves it out. Default: lengths in UTF-16 units, in OpenAI's form. */
  usage?: JsonObject | null;
  /** Another version of the protocol: members of a chunk, by their names of today, under other names. */
  renamed?: Readonly<Record<string, string>>;
  /** Events nobody knows in between. */
  noise?: boolean;
  fault?: RunFault;
}

/** What happens next. May be changed at any time; it counts for calls and runs that begin afterwards. */
export interface EmulatorScript extends RunScript {
  signup?: CallScript;
  refresh?: CallScript;
  user?: CallScript;
  createPrompt?: CallScript;
  initiate?: CallScript;
  /** For a socket: `status` refuses it with connect_error (`err.data.status`), `hang` and `delay` hold it. */
  connect?: CallScript;
  /** Whether premium models are refused with 403. */
  refusePremium?: boolean;
  /** What is different for one run. */
  run?: (run: RunRecord) => RunScript | undefined;
}
