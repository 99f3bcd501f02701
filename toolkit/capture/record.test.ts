import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { WebSocket as PackagedSocket } from "ws";
import { streamOf } from "../../test/support/pieces.ts";
import { recordingFetch } from "./record-fetch.ts";
import { recordSockets } from "./record-sockets.ts";
import type { Frame } from "./recording.ts";
import { FrameLog } from "./frame-log.ts";

const bodies: Readonly<Record<string, readonly [contentType: string, pieces: readonly string[]]>> = {
  "/events": ["text/event-stream; charset=utf-8", ["event: a\nda", 'ta: {"b":1}\n\ndata: x\n\n']],
  "/lines": ["application/x-ndjson", ['{"a":1}\n{"a"', ":2}\n", '{"a":3}']],
  "/json": ["application/json", ['{"a":', "1}"]],
  "/bytes": ["image/png", ["xyz"]],
};

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request, upgrader) {
    if (upgrader.upgrade(request)) return undefined;
    if (request.method === "POST") return Response.json({ heard: await request.text() });
    const [contentType, pieces] = bodies[new URL(request.url).pathname] ?? ["", []];
    const body = streamOf(pieces.map((piece) => new TextEncoder().encode(piece)));
    return new Response(body, { headers: { "content-type": contentType } });
  },
  websocket: {
    message: (socket, said) => void socket.send(typeof said === "string" ? `heard ${said}` : said),
  },
});
afterAll(() => server.stop(true));

let frameLog: FrameLog;
beforeEach(() => {
  frameLog = new FrameLog();
});

async function framesAfter(url: string, init?: RequestInit): Promise<readonly Frame[]> {
  const response = await recordingFetch(fetch, frameLog)(new URL(url, server.url), init);
  await response.bytes();
  await frameLog.waitForQuiet(50, 5_000);
  return frameLog.frames;
}

describe("recordingFetch", () => {
  test.each([
    [
      "/events",
      {
        events: [
          { event: "a", data: { b: 1 } },
          { event: "message", data: "x" },
        ],
      },
    ],
    ["/lines", { events: [{ data: { a: 1 } }, { data: { a: 2 } }, { data: { a: 3 } }] }],
    ["/json", { body: { a: 1 } }],
    ["/bytes", { contentType: "image/png", pieces: [{ bytes: 3 }] }],
  ])("keeps what %s sent", async (path, kept) => {
    const [request, response] = await framesAfter(path);
    expect(request).toMatchObject({ kind: "request", method: "GET", url: new URL(path, server.url).href });
    expect(response).toMatchObject({ kind: "response", status: 200, ...kept });
  });

  test("keeps what was asked, of its headers the names, and knows a secret by its header's", async () => {
    const headers = { authorization: "Bearer abc-def-0123456789", "x-other": "some-longer-value" };
    const [request, response] = await framesAfter("/json", { method: "POST", headers, body: '{"a":1}' });
    expect(request).toMatchObject({ method: "POST", body: { a: 1 } });
    expect(request).toMatchObject({ headers: expect.arrayContaining(["authorization", "x-other"]) });
    expect([...frameLog.secrets]).toEqual(["abc-def-0123456789"]);
    // Keeping it didn't take it from the upstream.
    expect(response).toMatchObject({ body: { heard: '{"a":1}' } });
  });

  test("leaves a body that is a stream, and can be read only once, to the upstream", async () => {
    const body = new Blob(["once"]).stream();
    const [request, response] = await framesAfter("/json", { method: "POST", body });
    expect(request).not.toHaveProperty("body");
    expect(response).toMatchObject({ body: { heard: "once" } });
  });

  test("a Request's own body reaches the upstream too", async () => {
    const asked = new Request(new URL("/json", server.url), { method: "POST", body: "mine" });
    const response = await recordingFetch(fetch, frameLog)(asked);
    expect(await response.json()).toEqual({ heard: "mine" });
    expect(frameLog.frames[0]).toMatchObject({ kind: "request", body: "mine" });
  });
});

const SOCKETS = {
  "the global WebSocket": () => new WebSocket(server.url.href.replace("http", "ws")),
  "the WebSocket of ws": () => new PackagedSocket(server.url.href.replace("http", "ws")),
};

async function talk(socket: WebSocket | PackagedSocket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let heard = 0;
  socket.onopen = () => {
    socket.send("hello");
    socket.send(new Uint8Array([1, 2, 3]));
  };
  socket.onmessage = () => {
    heard += 1;
    if (heard === 2) socket.close(1000);
  };
  socket.onclose = () => resolve();
  await promise;
}

describe("recordSockets", () => {
  test.each(Object.entries(SOCKETS))("keeps what goes over %s in both directions", async (_, open) => {
    using _recording = await recordSockets(frameLog);
    await talk(open());
    await frameLog.waitForQuiet(50, 5_000);
    const told = frameLog.frames.map(({ at: _at, ...frame }) => frame);
    expect(told).toEqual([
      { kind: "socket-opened", socket: 1, url: expect.stringMatching(/^ws:/) },
      { kind: "socket-sent", socket: 1, text: "hello" },
      { kind: "socket-sent", socket: 1, bytes: 3 },
      { kind: "socket-received", socket: 1, text: "heard hello" },
      { kind: "socket-received", socket: 1, bytes: 3 },
      { kind: "socket-closed", socket: 1, code: 1000 },
    ]);
  });

  test.each(Object.entries(SOCKETS))("leaves %s as it was when it is over", async (_, open) => {
    {
      using _recording = await recordSockets(frameLog);
    }
    await talk(open());
    expect(frameLog.frames).toEqual([]);
    expect(Object.hasOwn(WebSocket.prototype, "addEventListener")).toBe(false);
  });
});
