import { chatCompletions, completions, embeddings, listModels, showModel } from "../pipeline/generate.ts";
import type { Gateway } from "../gateway.ts";
import type { RequestCall } from "../pipeline/exchange.ts";
import { authenticate } from "../pipeline/authenticate.ts";
import { subscriptionPage, usagePage } from "./billing.ts";
import { docsAsset, docsPage, openapiDocument } from "./docs/docs.ts";
import { metricsPage } from "./metrics.ts";
import { frontPage, health, liveness, readiness } from "./pages.ts";

/** An API endpoint: has a call of its own, which the handler or the end of its answer closes. */
export type CallHandler = (http: Request, call: RequestCall, gateway: Gateway) => Promise<Response>;

/** A page or a probe: answered at once. */
export type PageHandler = (http: Request, gateway: Gateway) => Response | Promise<Response>;

export type Endpoint = { readonly method: "GET" | "POST"; readonly path: string } & (
  | { readonly call: CallHandler }
  | { readonly page: PageHandler }
);

/** All that the gateway serves. A path that ends in `/*` stands for all paths below it. */
export const ENDPOINTS: readonly Endpoint[] = [
  { method: "POST", path: "/v1/chat/completions", call: chatCompletions },
  { method: "POST", path: "/v1/completions", call: completions },
  { method: "POST", path: "/v1/embeddings", call: embeddings },
  { method: "GET", path: "/v1/models", call: listModels },
  { method: "GET", path: "/v1/models/*", call: showModel },
  { method: "GET", path: "/dashboard/billing/subscription", call: billingSubscription },
  { method: "GET", path: "/dashboard/billing/usage", call: billingUsage },
  { method: "GET", path: "/metrics", page: metricsPage },
  { method: "GET", path: "/health", page: health },
  { method: "GET", path: "/health/live", page: liveness },
  { method: "GET", path: "/health/ready", page: readiness },
  { method: "GET", path: "/openapi.json", page: openapiDocument },
  { method: "GET", path: "/docs", page: docsPage },
  { method: "GET", path: "/docs/*", page: docsAsset },
  { method: "GET", path: "/", page: frontPage },
];

const BY_METHOD_AND_PATH = new Map(
  ENDPOINTS.map((endpoint) => [`${endpoint.method} ${endpoint.path}`, endpoint]),
);

/** The endpoint with exactly this method and path, if there is one. */
export function endpointAt(method: string, path: string): Endpoint | undefined {
  return BY_METHOD_AND_PATH.get(`${method} ${path}`);
}

/** The endpoints at a path, one for each method. */
export function endpointsAt(path: string): readonly Endpoint[] {
  const exact = ENDPOINTS.filter((endpoint) => endpoint.path === path);
  if (exact.length > 0) return exact;
  return ENDPOINTS.filter(({ path: own }) => own.endsWith("/*") && path.startsWith(own.slice(0, -1)));
}

async function billingSubscription(http: Request, call: RequestCall, gateway: Gateway): Promise<Response> {
  const caller = await authenticate(http, call, gateway);
  call.close();
  return marked(subscriptionPage(caller), call);
}

async function billingUsage(http: Request, call: RequestCall, gateway: Gateway): Promise<Response> {
  const caller = await authenticate(http, call, gateway);
  gateway.ledger.flush();
  call.close();
  return marked(await usagePage(http, caller, gateway.usage), call);
}

function marked(response: Response, call: RequestCall): Response {
  const headers = call.marked({});
  for (const name in headers) response.headers.set(name, headers[name] ?? "");
  return response;
}
