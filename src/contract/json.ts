/** What JSON can say (RFC 8259). */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

/** A JSON object. `undefined` members are allowed because JSON.stringify leaves them out. */
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}
