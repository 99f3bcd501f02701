import { Elysia } from "elysia";
import type { Context } from "elysia";
import type { ServerSettings } from "../../config/settings.ts";
import type { Dialect } from "../dialects/dialect.ts";
import { DIALECTS } from "../dialects/index.ts";
import { boundSendBuffers } from "../runtime/socket-buffers.ts";
import { StartupError } from "../errors/startup-error.ts";
import type { Gateway } from "../gateway.ts";
import { RequestHandler } from "./request-handler.ts";
import { Cors } from "./cors.ts";
import type { Endpoint } from "./endpoint.ts";
import { EndpointTable } from "./endpoints.ts";

// Longer than the idle time of the load balancers in front (nginx: 60 s), so that they, not we, close first.
const IDLE_TIMEOUT_S = 120;

/** A listening gateway. */
export interface Listening {
  /** As `http://127.0.0.1:8088`. */
  readonly url: string;
  /**
   * Takes no new connections. Gives what is already answered up to `patience` ms to reach its client, and cuts
   * the connections that are left.
   */
  stop(patience?: number): Promise<void>;
}

/** Serves the gateway at the configured address. Throws a StartupError if it can't be bound. */
export function listen(
  gateway: Gateway,
  server: ServerSettings,
  dialects: readonly [Dialect, ...Dialect[]] = DIALECTS,
): Listening {
  const endpoints = new EndpointTable(dialects);
  const cors = new Cors(server.cors_origins);
  const app = createApp(new RequestHandler(gateway, endpoints, cors), endpoints.all);
  try {
    app.listen({
      hostname: server.host,
      port: server.port,
      // Elysia's default would let a second gateway start on the same port and take half of the requests.
      reusePort: false,
      idleTimeout: IDLE_TIMEOUT_S,
      // Bodies are counted by us, who can say in OpenAI's words what was wrong; unread ones stay in the socket.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      development: false,
    });
  } catch (cause) {
    throw cannotListen(server, cause);
  }
  const port = app.server?.port ?? server.port;
  boundSendBuffers(port);
  return {
    url: `http://${hostOf(server.host)}:${port}`,
    async stop(patience = 0) {
      if (patience > 0) await Promise.race([app.server?.stop(), Bun.sleep(patience)]);
      await app.server?.stop(true);
    },
  };
}

function createApp(answerer: RequestHandler, endpoints: readonly Endpoint[]): Elysia {
  const app = new Elysia();
  const answer = ({ request, server }: Pick<Context, "request" | "server">) => {
    // Bun would cut a stream, or a handler, that is silent for as long as an idle connection may be.
    server?.timeout(request, 0);
    return answerer.answer(request);
  };
  // Before the routes: a hook applies only to those that are registered after it.
  // `async`, else Elysia guesses by the hook's text that it needn't await it, and sets the status 404.
  app.onError(async (context) => (context.code === "NOT_FOUND" ? await answer(context) : undefined));
  // Elysia only serves: it neither parses bodies nor sets headers, so that streams go out as we made them. Its routes
  // make Bun match known paths natively; which endpoint answers is the answerer's decision, because Elysia 1.4.30 looks
  // for the path from the URL's eleventh character on, and so misreads it when the host's name is shorter than four.
  for (const { method, path } of endpoints) app.route(method, path, answer, { parse: "none" });
  return app;
}

function hostOf(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function cannotListen({ host, port }: ServerSettings, cause: unknown): StartupError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  const why =
    code === "EADDRINUSE"
      ? `the port is in use, perhaps by another Modelyard; choose another with PORT=… or server.port`
      : String(cause);
  return new StartupError(`can't listen on ${hostOf(host)}:${port}: ${why}`, { cause });
}
