import type {
  CountEndpoint,
  EmbedEndpoint,
  GenerateEndpoint,
  ModelEndpoint,
  ModelListEndpoint,
  StateEndpoint,
} from "../dialects/dialect.ts";
import { admit } from "./admission/admit.ts";
import type { Authenticated } from "./intake/authenticate.ts";
import { counted } from "./count.ts";
import { dispatched, dispatchVectors } from "./dispatch.ts";
import { cached, joined, lookup } from "./lookup.ts";
import { meter, meterVectors } from "./meter.ts";
import { lookupVectors } from "./vector-lookup.ts";
import { read, shownModel } from "./intake/read.ts";
import { reply, replyAlone, replyCount, replyVectors } from "./reply.ts";
import { refuseUnknown, route, routeModel } from "./admission/route.ts";
import { servedModel, servedModels } from "./admission/served-models.ts";

/**
 * A request as a list of steps, each in a file of its own. What a step returns is what the next one takes, and nothing else
 * makes it: a step that is left out, or not waited for, is an error of types. A step may throw; server/ turns any error
 * into the client's error body.
 * @module
 */

/** POST: an answer in words. */
export async function generate(client: Authenticated, endpoint: GenerateEndpoint): Promise<Response> {
  const received = await read(client, endpoint); // 400, 408, 413, 415
  const plan = await route(received); // 403, 404
  const ticket = await admit(plan); // 429
  const found = lookup(ticket);
  const answer = cached(found) ?? joined(found) ?? dispatched(ticket, found); // until an upstream commits
  const metered = meter(ticket, answer);
  return reply(ticket, endpoint, metered); // SSE or JSON
}

/** POST: how many tokens a request would take. */
export async function countTokens(client: Authenticated, endpoint: CountEndpoint): Promise<Response> {
  const received = await read(client, endpoint);
  const plan = await route(received);
  const ticket = await admit(plan);
  return replyCount(ticket, endpoint, await counted(ticket));
}

/** POST: vectors. */
export async function embed(client: Authenticated, endpoint: EmbedEndpoint): Promise<Response> {
  const received = await read(client, endpoint);
  const plan = await route(received);
  const ticket = await admit(plan);
  const found = lookupVectors(ticket);
  const answer = found.answer ?? (await dispatchVectors(found));
  return replyVectors(ticket, await meterVectors(found, answer));
}

/** GET: the models that the caller may ask for. */
export async function listModels(client: Authenticated, endpoint: ModelListEndpoint): Promise<Response> {
  const { gateway, http } = client.exchange;
  const models = await servedModels(client.caller, gateway);
  return replyAlone(client, endpoint.write(models, queryOf(http.url)));
}

/** GET: one model, in whose id there may be slashes. */
export async function showModel(client: Authenticated, endpoint: ModelEndpoint): Promise<Response> {
  const { caller, exchange } = client;
  const { gateway } = exchange;
  const id = restOf(exchange.http.url, "/models/");
  exchange.reached({ caller, shownModel: shownModel(id) });
  const { targets } = await routeModel(id, { caller, gateway }); // 403, 404 with the nearest names
  const model = await servedModel(id, targets, gateway);
  return replyAlone(client, endpoint.write(model ?? (await refuseUnknown(id, caller, gateway))));
}

/** What is kept of a key's earlier requests. */
export async function answerState(client: Authenticated, endpoint: StateEndpoint): Promise<Response> {
  const { url } = client.exchange.http;
  // Some clients leave the version out.
  const rest = restOf(url, endpoint.path.replaceAll(/^\/v1|\*$/g, ""));
  return replyAlone(client, endpoint.answer(rest, client, queryOf(url)));
}

function queryOf(url: string): URLSearchParams {
  return new URLSearchParams(url.split("?", 2)[1]);
}

/** What stands behind this part of an address, without a slash at its end; an escape that is none stands for itself. */
function restOf(url: string, before: string): string {
  // Not by `new URL`: a client that names no host, or a strange one, leaves an address without its beginning.
  const path = url.replace(/^https?:\/\/[^/]*/, "");
  const id = path.slice(path.indexOf(before) + before.length).replace(/\/?(?:\?.*)?$/, "");
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}
