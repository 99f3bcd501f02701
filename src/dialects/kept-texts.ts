/** What the gateway keeps for one key between its requests, for a while and within bounds. */
export interface KeptTexts {
  /** Returns the text under an id, and keeps it for longer. */
  get(id: string): string | undefined;
  /** Keeps a text; returns false where it is too large. */
  keep(id: string, text: string): boolean;
  /** Returns whether there was such a text. */
  delete(id: string): boolean;
}

/** What a request may use of what is kept for its key. */
export interface ClientState {
  /** Undefined where nothing is kept. */
  readonly kept: KeptTexts | undefined;
}
