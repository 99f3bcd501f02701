import type { EmbedEndpoint, GenerateEndpoint } from "../../src/dialects/dialect.ts";
import type { Caller } from "../../src/keys/keyring.ts";
import { admit } from "../../src/pipeline/admission/admit.ts";
import type { Authenticated } from "../../src/pipeline/intake/authenticate.ts";
import { dispatched } from "../../src/pipeline/dispatch.ts";
import type { Exchange } from "../../src/pipeline/intake/exchange.ts";
import { generate } from "../../src/pipeline/generate.ts";
import { lookup } from "../../src/pipeline/lookup.ts";
import { meter } from "../../src/pipeline/meter.ts";
import { read } from "../../src/pipeline/intake/read.ts";
import { reply } from "../../src/pipeline/reply.ts";
import { route } from "../../src/pipeline/admission/route.ts";

/**
 * Pipelines with a step left out, or not waited for. None of them may compile: `bun run types` fails where an expected error
 * doesn't come.
 * @module
 */

export function withoutKey(exchange: Exchange, endpoint: GenerateEndpoint) {
  // @ts-expect-error -- an exchange isn't authenticated
  return generate(exchange, endpoint);
}

export function withForgedKey(exchange: Exchange, caller: Caller, endpoint: GenerateEndpoint) {
  // @ts-expect-error -- only `authenticate` says whose request it is
  return generate({ exchange, caller }, endpoint);
}

export function withoutWaitingForTheBody(client: Authenticated, endpoint: GenerateEndpoint) {
  // @ts-expect-error -- the body may not have come yet
  return route(read(client, endpoint));
}

export async function withoutRoute(client: Authenticated, endpoint: GenerateEndpoint) {
  // @ts-expect-error -- where it may go isn't known
  return admit(await read(client, endpoint));
}

export async function withoutAdmit(client: Authenticated, endpoint: GenerateEndpoint) {
  const plan = await route(await read(client, endpoint));
  // @ts-expect-error -- nothing of it is counted against limits, budget and ledger
  lookup(plan);
  // @ts-expect-error -- nor may an upstream be asked
  return dispatched(plan, undefined);
}

export async function withoutWaitingForAdmission(client: Authenticated, endpoint: GenerateEndpoint) {
  const plan = await route(await read(client, endpoint));
  // @ts-expect-error -- the budget may not have been read yet
  return dispatched(admit(plan), undefined);
}

export async function withoutMeter(client: Authenticated, endpoint: GenerateEndpoint) {
  const ticket = await admit(await route(await read(client, endpoint)));
  const answer = await dispatched(ticket, undefined);
  // @ts-expect-error -- nobody tracks what it uses
  return reply(ticket, endpoint, answer);
}

export async function withVectorsForWords(client: Authenticated, endpoint: EmbedEndpoint) {
  const ticket = await admit(await route(await read(client, endpoint)));
  // @ts-expect-error -- a request for vectors has no answer in words
  return meter(ticket, dispatched(ticket, undefined));
}
