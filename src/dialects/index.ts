import { anthropic } from "./anthropic/index.ts";
import type { Dialect } from "./dialect.ts";
import { openai } from "./openai/index.ts";

/** The client APIs that the gateway serves. Addresses that belong to none of them are answered in the first one's form. */
export const DIALECTS: readonly [Dialect, ...Dialect[]] = [openai, anthropic];
