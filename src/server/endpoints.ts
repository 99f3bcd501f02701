import type { Dialect, DialectEndpoint } from "../dialects/dialect.ts";
import { jsonAnswer } from "../dialects/operation-document.ts";
import type { Authenticated } from "../pipeline/intake/authenticate.ts";
import { answerState, countTokens, embed, generate, listModels, showModel } from "../pipeline/generate.ts";
import { SUBSCRIPTION, USAGE } from "./billing.ts";
import { docsAsset, docsPage } from "./docs/docs.ts";
import { metricsPage } from "./metrics.ts";
import type { ClientEndpoint, Endpoint, OpenEndpoint } from "./endpoint.ts";
import { describeApi } from "./openapi.ts";
import { frontPage, health, liveness, readiness } from "./pages.ts";

const STATUS = { type: "object", properties: { status: { type: "string" } } };

/** Pages and probes that need no key. */
const OPEN: readonly OpenEndpoint[] = [
  {
    method: "GET",
    path: "/metrics",
    auth: "none",
    document: {
      summary: "Counters and states for Prometheus",
      answer: {
        description: "Text format 0.0.4",
        content: { "text/plain": { schema: { type: "string" } } },
      },
    },
    page: metricsPage,
  },
  {
    method: "GET",
    path: "/health",
    auth: "none",
    document: { summary: "State and version; no upstream is asked", answer: jsonAnswer("Serving", STATUS) },
    unavailable: jsonAnswer("Shutting down", STATUS),
    page: health,
  },
  {
    method: "GET",
    path: "/health/live",
    auth: "none",
    document: { summary: "The process answers", answer: jsonAnswer("Alive", STATUS) },
    page: liveness,
  },
  {
    method: "GET",
    path: "/health/ready",
    auth: "none",
    document: { summary: "Requests may be sent here", answer: jsonAnswer("Ready", STATUS) },
    unavailable: jsonAnswer("Shutting down", STATUS),
    page: readiness,
  },
  { method: "GET", path: "/docs", auth: "none", page: docsPage },
  { method: "GET", path: "/docs/*", auth: "none", page: docsAsset },
  { method: "GET", path: "/", auth: "none", page: frontPage },
];

/** Returns all that the gateway serves. */
export function endpointsOf(dialects: readonly [Dialect, ...Dialect[]]): readonly Endpoint[] {
  const [first] = dialects;
  const served: Endpoint[] = [
    ...servedByAll(dialects),
    {
      method: "GET",
      path: "/dashboard/billing/subscription",
      auth: "client",
      dialect: first,
      ...SUBSCRIPTION,
    },
    { method: "GET", path: "/dashboard/billing/usage", auth: "client", dialect: first, ...USAGE },
    ...OPEN,
    { method: "GET", path: "/openapi.json", auth: "none", page: () => Response.json(describeApi(served)) },
  ];
  return served;
}

/** The endpoints of all dialects, those at one address as one. */
function servedByAll(dialects: readonly Dialect[]): ClientEndpoint[] {
  const all = dialects.flatMap((dialect) => dialect.endpoints.map((endpoint) => servedBy(dialect, endpoint)));
  const byAddress = Map.groupBy(all, ({ method, path }) => `${method} ${path}`);
  return [...byAddress.values()].flatMap(([first, ...others]) => {
    if (!first) return [];
    return others.length > 0 ? { ...first, others } : first;
  });
}

function servedBy(dialect: Dialect, endpoint: DialectEndpoint): ClientEndpoint {
  const { path, document } = endpoint;
  return {
    method: methodOf(endpoint),
    path,
    document,
    auth: "client",
    dialect,
    answer: (client) => answered(client, endpoint),
  };
}

function methodOf(endpoint: DialectEndpoint): Endpoint["method"] {
  if (endpoint.kind === "state") return endpoint.method;
  return endpoint.kind === "models" || endpoint.kind === "model" ? "GET" : "POST";
}

function answered(client: Authenticated, endpoint: DialectEndpoint): Promise<Response> {
  switch (endpoint.kind) {
    case "generate":
      return generate(client, endpoint);
    case "count":
      return countTokens(client, endpoint);
    case "embed":
      return embed(client, endpoint);
    case "models":
      return listModels(client, endpoint);
    case "model":
      return showModel(client, endpoint);
    case "state":
      return answerState(client, endpoint);
  }
}

/** The endpoints, by their addresses. */
export class EndpointTable {
  readonly #all: readonly Endpoint[];
  readonly #byMethodAndPath: ReadonlyMap<string, Endpoint>;
  readonly #dialects: readonly [Dialect, ...Dialect[]];
  /** What stands below `/v1`, as `/chat/completions`. */
  readonly #versioned: readonly string[];

  constructor(dialects: readonly [Dialect, ...Dialect[]]) {
    this.#dialects = dialects;
    this.#all = endpointsOf(dialects);
    this.#byMethodAndPath = new Map(this.#all.map((each) => [`${each.method} ${each.path}`, each]));
    this.#versioned = this.#all.flatMap(({ path }) => /^\/v1(\/.+?)(?:\/\*)?$/.exec(path)?.[1] ?? []);
  }

  get all(): readonly Endpoint[] {
    return this.#all;
  }

  /** Returns the endpoint with exactly this method and path, if there is one. */
  at(method: string, path: string): Endpoint | undefined {
    return this.#byMethodAndPath.get(`${method} ${path}`);
  }

  /** Returns the endpoints at a path, one for each method. */
  allAt(path: string): readonly Endpoint[] {
    const exact = this.#all.filter((endpoint) => endpoint.path === path);
    if (exact.length > 0) return exact;
    return this.#all.filter(({ path: own }) => own.endsWith("/*") && path.startsWith(own.slice(0, -1)));
  }

  /** Returns the dialect in which an error at a path is told: of those that have endpoints there, else of all. */
  dialectAt(path: string, headers: Headers): Dialect {
    const isHere = ({ path: own }: DialectEndpoint) => path === own || path.startsWith(`${own}/`);
    const here = this.#dialects.filter(({ endpoints }) => endpoints.some(isHere));
    const among = here.length > 0 ? here : this.#dialects;
    return among.find((dialect) => isMarked(headers, dialect)) ?? among[0] ?? this.#dialects[0];
  }

  /** Whether an address that lacks `/v1` means one below it. */
  lacksVersion(path: string): boolean {
    return this.#versioned.some((own) => path === own || path.startsWith(`${own}/`));
  }
}

/** Whether a request says that it is one of this API's clients. */
export function isMarked(headers: Headers, { marker }: Dialect): boolean {
  return marker !== undefined && headers.has(marker);
}
