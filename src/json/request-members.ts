import type { EmbedInput, Json, JsonObject } from "../contract/index.ts";

/** A parsed request as the core asks it: member by member, so that one class decides how much of it is parsed. */
export interface RequestMembers {
  /** Returns a member at the top of the body; undefined where there is none. */
  member(name: string): Json | undefined;
  /** Returns the names of the members that the body has. */
  names(): string[];
  /** The body of a client API other than OpenAI's. The members above are then those of the conversation that it means. */
  readonly ownBody?: JsonObject | undefined;
  /** The inputs of a request for vectors. */
  readonly inputs?: readonly EmbedInput[];
  /** The body as its client wrote it, while that is kept. */
  readonly bytes: Uint8Array | undefined;
  /** Whether all texts of the body are known to be ASCII. */
  readonly isAscii: boolean;
}
