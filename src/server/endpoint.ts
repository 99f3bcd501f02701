import type { Dialect } from "../dialects/dialect.ts";
import type { OperationDocument } from "../dialects/operation-document.ts";
import type { Gateway } from "../gateway.ts";
import type { Authenticated } from "../pipeline/intake/authenticate.ts";

interface EndpointBase {
  readonly method: "GET" | "POST" | "DELETE";
  /** A path that ends in `/*` stands for all paths below it. */
  readonly path: string;
  /** Its part of openapi.json, if any. */
  readonly document?: OperationDocument;
}

/** An endpoint for callers with a key: what it answers ends with the exchange that the handler opened. */
export interface ClientEndpoint extends EndpointBase {
  readonly auth: "client";
  /** In whose form errors are told, and how the key is sent. */
  readonly dialect: Dialect;
  /** The same address in other APIs, each for requests with its dialect's marker. */
  readonly others?: readonly ClientEndpoint[];
  readonly answer: (client: Authenticated) => Response | Promise<Response>;
}

/** A public page or probe, answered at once. */
export interface OpenEndpoint extends EndpointBase {
  readonly auth: "none";
  /** The document of its 503 response, if any. */
  readonly unavailable?: object;
  readonly page: (http: Request, gateway: Gateway) => Response | Promise<Response>;
}

/** One address of the gateway. Who may ask it is part of its type, and checked by the request handler before it is asked. */
export type Endpoint = ClientEndpoint | OpenEndpoint;
