import { version } from "../../package.json";
import type { Gateway } from "../gateway.ts";

/** GET /health/live: the process answers. */
export function liveness(): Response {
  return Response.json({ status: "ok" });
}

/** GET /health/ready: 503 once it is shutting down, so that a load balancer sends its requests elsewhere. */
export function readiness(_: Request, { inFlight }: Gateway): Response {
  if (inFlight.draining) return Response.json({ status: "shutting_down" }, { status: 503 });
  return Response.json({ status: "ok" });
}

/**
 * GET /health: both, and the version. No upstream is asked. `degraded`: it serves, but what is named isn't well; `ledger`:
 * rows can't be written.
 */
export function health(http: Request, gateway: Gateway): Response {
  const { status } = readiness(http, gateway);
  if (status !== 200) return Response.json({ status: "shutting_down", version }, { status });
  if (!gateway.ledger.isDegraded) return Response.json({ status: "ok", version });
  return Response.json({ status: "degraded", version, degraded: ["ledger"] });
}

/** GET /: where a person who opened the address in a browser can go on. */
export function frontPage(): Response {
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  };
  return new Response(FRONT_PAGE, { headers });
}

const FRONT_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Modelyard</title>
<style>
  body { font: 1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; color: #1c2430; }
  code { background: #eef1f5; padding: .1em .35em; border-radius: .25em; }
  @media (prefers-color-scheme: dark) { body { background: #12161c; color: #dde3ea } code { background: #232a34 } a { color: #8ab8ff } }
</style>
<h1>Modelyard ${version}</h1>
<p>One API in front of many AI upstreams. It is running.</p>
<p>Give a client of OpenAI's API this address with <code>/v1</code> at its end as base URL, one of Anthropic's API the address as it is, and a key.</p>
<ul>
  <li><a href="docs">API documents</a></li>
  <li><a href="openapi.json">openapi.json</a></li>
  <li><a href="health">health</a></li>
</ul>
</html>
`;
