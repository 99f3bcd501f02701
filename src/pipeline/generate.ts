import { openaiChat } from "../dialects/openai/chat/index.ts";
import { modelList, modelObject } from "../dialects/openai/models.ts";
import { parseChatRequest } from "../dialects/openai/chat/request.ts";
import { openaiCompletions } from "../dialects/openai/completions/index.ts";
import { parseCompletionsRequest } from "../dialects/openai/completions/request.ts";
import { embeddingsBody } from "../dialects/openai/embeddings/message.ts";
import { parseEmbeddingsRequest } from "../dialects/openai/embeddings/request.ts";
import type { DispatchContext } from "../attempts/dispatch-context.ts";
import type { Gateway } from "../gateway.ts";
import { admit } from "./admit.ts";
import { authenticate } from "./authenticate.ts";
import { dispatchChat, dispatchCompletion, dispatchEmbed } from "./dispatch.ts";
import { embeddingUsage, observe } from "./meter.ts";
import type { RequestCall } from "./exchange.ts";
import { readBody } from "./read-body.ts";
import { recall } from "./lookup.ts";
import { reply, replyAlone, replyWith } from "./reply.ts";
import { refuseUnknown, route } from "./route.ts";
import { servedModel, servedModels } from "./served-models.ts";

/**
 * One request as a list of steps, each in a file of its own under steps/. A step may throw; http/ turns any
 * error into the client's error body.
 * @module
 */

/** POST /v1/chat/completions */
export async function chatCompletions(http: Request, call: RequestCall, gateway: Gateway): Promise<Response> {
  const caller = await authenticate(http, call, gateway); // 401, 403
  const request = parseChatRequest(await readBody(http, call, gateway)); // 400, 408, 413, 415
  const plan = await route(request, { caller, call, gateway }); // 403, 404
  await admit(request, plan, { caller, call, gateway }); // 429
  const ask = (errand: DispatchContext) => dispatchChat(plan, request, { call: errand, gateway });
  const answer = recall(request, ask, { http, caller, plan, call, gateway }); // until an upstream commits
  const observed = answer.then((begun) => observe(begun, request, { call, gateway })); // usage
  return reply(observed, request, { dialect: openaiChat, call, gateway }); // SSE or JSON
}

/** POST /v1/completions */
export async function completions(http: Request, call: RequestCall, gateway: Gateway): Promise<Response> {
  const caller = await authenticate(http, call, gateway);
  const request = parseCompletionsRequest(await readBody(http, call, gateway));
  const plan = await route(request, { caller, call, gateway });
  await admit(request, plan, { caller, call, gateway });
  const ask = (errand: DispatchContext) => dispatchCompletion(plan, request, { call: errand, gateway });
  const answer = recall(request, ask, { http, caller, plan, call, gateway });
  const observed = answer.then((begun) => observe(begun, request, { call, gateway }));
  return reply(observed, request, { dialect: openaiCompletions, call, gateway });
}

/** POST /v1/embeddings */
export async function embeddings(http: Request, call: RequestCall, gateway: Gateway): Promise<Response> {
  const caller = await authenticate(http, call, gateway);
  const { request, encoding } = parseEmbeddingsRequest(await readBody(http, call, gateway));
  const plan = await route(request, { caller, call, gateway });
  await admit(request, plan, { caller, call, gateway });
  const answer = await dispatchEmbed(plan, request, { call, gateway });
  const usage = await embeddingUsage(answer, request, { call, gateway });
  const body = embeddingsBody({ result: answer.result, model: request.model, encoding, usage });
  return replyWith(body, { answered: answer, usage, call });
}

/** GET /v1/models */
export async function listModels(http: Request, call: RequestCall, gateway: Gateway): Promise<Response> {
  const caller = await authenticate(http, call, gateway);
  const models = await servedModels(caller, gateway);
  return replyAlone(modelList(models), call);
}

/** GET /v1/models/{id}, in which the id may hold slashes */
export async function showModel(http: Request, call: RequestCall, gateway: Gateway): Promise<Response> {
  const caller = await authenticate(http, call, gateway);
  const id = modelId(http.url);
  const { targets } = await route({ model: id }, { caller, call, gateway }); // 403, 404 with the nearest names
  const model = await servedModel(id, targets, gateway);
  return replyAlone(modelObject(model ?? (await refuseUnknown(id, caller, gateway))), call);
}

/** The id in an address, with or without a slash at its end; an escape that is none stands for itself. */
function modelId(url: string): string {
  // Not by `new URL`: a client that names no host, or a strange one, leaves an address without its beginning.
  const id = url.replace(/^(?:https?:\/\/[^/]*)?.*?\/models\//, "").replace(/\/?(?:\?.*)?$/, "");
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}
