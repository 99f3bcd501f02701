/**
 * The platform: what a careful person writes as a pass-through on Bun in a few lines, without keys, limits,
 * retries or honest ends. `bun raw-bun.ts UPSTREAM_URL` prints where it listens.
 * @module
 */
const upstream = process.argv[2] ?? "";
const HOP_BY_HOP = ["connection", "keep-alive", "transfer-encoding"];

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers);
    for (const name of ["host", ...HOP_BY_HOP]) headers.delete(name);
    const answer = await fetch(upstream + pathname + search, {
      method: request.method,
      headers,
      body: request.body,
      signal: request.signal,
    });
    const answerHeaders = new Headers(answer.headers);
    for (const name of HOP_BY_HOP) answerHeaders.delete(name);
    return new Response(answer.body, { status: answer.status, headers: answerHeaders });
  },
});
console.log(`listens on http://127.0.0.1:${server.port}`);
