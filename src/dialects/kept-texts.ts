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
  /** Throws a GatewayError that names `param` if a request of so many bytes is more than the gateway takes. */
  expectRoom(bytes: number, param: string): void;
}

/** For requests that nothing is kept for: without it there is nothing by which they could grow. */
export const NOTHING_KEPT: ClientState = { kept: undefined, expectRoom: () => undefined };
