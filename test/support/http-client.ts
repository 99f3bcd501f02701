import { httpClient } from "../../config/environment.ts";
import type { ClientOptions } from "../../src/runtime/http-client/fetch.ts";

/** The promises that hold only with the gateway's own HTTP client, and why Bun's `fetch` doesn't keep them. */
const OWN_CLIENT_PROMISES = {
  connect: "`fetch` has no deadline for a connection: `timeouts.first_event` ends the wait",
  brokenTail: "`fetch` may drop bytes that arrive together with the break of a chunked body",
  readAhead: "`fetch` gives no access to its socket, whose receive buffer the kernel lets grow",
} as const;

/** Returns what starts a gateway with its own client, whichever the test run uses, for a promise that needs it. */
export function withOwnClient(_promise: keyof typeof OWN_CLIENT_PROMISES): Partial<ClientOptions> {
  return { ownClient: true };
}

/** Returns whether this test run uses the gateway's own HTTP client, and not Bun's `fetch` (`MODELYARD_HTTP_CLIENT`). */
export function usesOwnClient(): boolean {
  return httpClient() === "own";
}
