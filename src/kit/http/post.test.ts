import { describe, expect, test } from "bun:test";
import { UpstreamError } from "modelyard/plugin";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { testCall } from "../../../test/support/plugin-host.ts";
import { rawServer, silentServer } from "../../../test/support/silent-server.ts";
import { until } from "../../../test/support/until.ts";
import { upstreamFetch } from "../../host/upstream-fetch.ts";
import { openaiStream } from "../openai-stream/openai-stream.ts";
import { post } from "./post.ts";
import { errorFromFetch } from "./error-from-fetch.ts";
import type { PostOptions } from "./post.ts";
import { readJson } from "./read-json.ts";
import { sse } from "../sse/sse.ts";

const BODY = { model: "m", messages: [] };

/** A server on the loopback that answers with what `answer` gives. */
function serve(
  answer: (request: Request) => Response | Promise<Response>,
): { url: string } & AsyncDisposable {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  return { url: server.url.href, [Symbol.asyncDispose]: () => server.stop(true) };
}

function ask(url: string, changes: Partial<PostOptions> = {}, call = testCall().call): Promise<Response> {
  return post(call, { fetch, url, body: BODY, ...changes });
}

/** The error that a request ends with; fails if it doesn't. */
async function failure(asked: Promise<unknown>): Promise<UpstreamError> {
  const error: unknown = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!UpstreamError.is(error)) throw new Error("expected an UpstreamError", { cause: error });
  return error;
}

describe("post", () => {
  test("sends JSON with the headers it was given, and gives the answer", async () => {
    await using server = serve(async (request) =>
      Response.json({ body: await request.json(), headers: Object.fromEntries(request.headers) }),
    );
    const response = await ask(server.url, { headers: { authorization: "Bearer k" } });
    const seen = (await response.json()) as { body: unknown; headers: Record<string, string> };
    expect(seen.body).toEqual(BODY);
    expect(seen.headers).toMatchObject({ "content-type": "application/json", authorization: "Bearer k" });
    expect(seen.headers["accept-encoding"]).toContain("gzip");
  });

  test("asks for an uncompressed answer when it asks for a stream, unless told otherwise", async () => {
    await using server = serve((request) => new Response(request.headers.get("accept-encoding")));
    const body = { ...BODY, stream: true };
    expect(await (await ask(server.url, { body })).text()).toBe("identity");
    const headers = { "Accept-Encoding": "gzip" };
    expect(await (await ask(server.url, { body, headers })).text()).toBe("gzip");
  });

  test("says that it is connected when the headers have come, also with an error", async () => {
    await using server = serve(() => new Response("", { status: 200 }));
    await using broken = serve(() => new Response("", { status: 500 }));
    const [good, bad] = [testCall(), testCall()];
    await ask(server.url, {}, good.call);
    await failure(ask(broken.url, {}, bad.call));
    expect([good.connected, bad.connected]).toEqual([1, 1]);
  });

  test("gives the upstream's own message, its parameter and its patience", async () => {
    const error = { message: "Slow down", param: "messages", type: "requests", code: "rate_limit_exceeded" };
    await using server = serve(() =>
      Response.json({ error }, { status: 429, headers: { "retry-after": "7" } }),
    );
    expect(await failure(ask(server.url))).toMatchObject({
      code: "rate-limited",
      message: "Slow down",
      param: "messages",
      retryAfterMs: 7000,
    });
  });

  test("follows no redirect, which would take the credential elsewhere", async () => {
    await using other = serve(() => new Response("reached"));
    await using server = serve(() => Response.redirect(`${other.url}v1/chat?key=secret`, 307));
    const error = await failure(ask(server.url));
    expect(error.code).toBe("bad-response");
    expect(error.message).toBe("the upstream redirects to another address (status 307)");
    expect(error.detail).toBe(`${other.url}v1/chat`);
  });

  test("names the host of an upstream for the log that can't be reached, and nothing secret", async () => {
    const freed = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    freed.stop(true);
    const error = await failure(ask(`http://user:password@127.0.0.1:${freed.port}/path?key=secret`));
    expect(error.code).toBe("unreachable");
    expect(error.message).toBe("the upstream can't be reached");
    expect(error.detail).toBe(`127.0.0.1:${freed.port}: ECONNREFUSED`);
    expect(Bun.inspect(error)).not.toMatch(/password@|key=secret/);
  });

  test("is unreachable where the name is unknown or TLS fails", async () => {
    await using plain = serve(() => new Response(""));
    const urls = ["http://no-such-host.invalid/", plain.url.replace("http:", "https:"), "nonsense"];
    const codes = await Promise.all(urls.map(async (url) => (await failure(ask(url))).code));
    expect(codes).toEqual(urls.map(() => "unreachable"));
  });

  test("names the proxy for the log alone", () => {
    const error = Object.assign(new Error("no"), { code: "ECONNREFUSED", proxy: "http://10.0.0.1:3128" });
    expect(errorFromFetch("http://far.test/v1", error)).toMatchObject({
      code: "unreachable",
      message: "the upstream can't be reached through the proxy",
      detail: "far.test through the proxy http://10.0.0.1:3128: ECONNREFUSED",
    });
  });

  test("is unavailable where the server was reached, and hung up without a byte", async () => {
    for (const end of ["reset", "close"] as const) {
      using server = rawServer("", end);
      expect(await failure(ask(server.url))).toMatchObject({
        code: "unavailable",
        message: "the upstream closed the connection without an answer",
      });
    }
  });

  test("says of a server that was reached and speaks no HTTP that its answer is bad", async () => {
    using mail = rawServer("220 mail ready\r\n\r\n", "close");
    const error = await failure(ask(mail.url));
    expect(error.code).toBe("bad-response");
    expect(error.message).toContain("answered with what is no HTTP");
  });

  test("keeps the reason of an abort, before it is sent, while it waits and while an error is read", async () => {
    const reason = new Error("the client left");
    await using silent = silentServer();
    await using stuck = silentServer("half an err", { status: 500 });
    const before = testCall();
    before.abort(reason);
    await expect(ask(silent.url, {}, before.call)).rejects.toBe(reason);
    for (const server of [silent, stuck]) {
      const call = testCall();
      const asked = ask(server.url, {}, call.call);
      await server.asked;
      call.abort(reason);
      await expect(asked).rejects.toBe(reason);
      await server.gone;
    }
  });

  test("reads an error's body for 5 seconds at most, and then leaves it", async () => {
    await using server = silentServer("half a message", { status: 503 });
    const clock = new FakeClock();
    const headersCame = Promise.withResolvers<void>();
    const call = { ...testCall().call, connected: () => headersCame.resolve() };
    const asked = failure(ask(server.url, { clock }, call));
    await headersCame.promise;
    await clock.advance(5000);
    expect(await asked).toMatchObject({ code: "unavailable" });
    await server.gone;
    expect(clock.pending).toBe(0);
  });

  test("reads 64 KiB of an error's body, and then leaves it", async () => {
    await using server = silentServer("too much ".repeat(20_000), { status: 500 });
    const error = await failure(ask(server.url));
    expect(error.message.length).toBeLessThanOrEqual(64 * 1024);
    expect(error.message).toStartWith("too much too much");
    await server.gone;
  });

  test("has an answer to a body that breaks off", async () => {
    using server = rawServer("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 100\r\n\r\nsorry", "close");
    expect((await failure(ask(server.url))).code).toBe("failed");
  });
});

const READERS: Readonly<Record<string, (response: Response) => unknown>> = {
  "text/event-stream": (response) => Array.fromAsync(sse(response.body)),
  "text/event-stream; charset=utf-8": (response) => Array.fromAsync(openaiStream(response)),
  "application/json": (response) => readJson(response, new AbortController().signal),
};

describe.each([fetch, upstreamFetch({ ownClient: true })({ connect: 10_000, first_event: 60_000 })])(
  "by %p",
  (by) => {
    test.each(Object.keys(READERS))("what is read of %s is a sign of life", async (type) => {
      const [first, rest] = type.startsWith("text")
        ? [
            ": ping\n\n",
            'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
          ]
        : ["[1,", "2]"];
      const goOn = Promise.withResolvers<void>();
      await using server = serve(() => {
        async function* body(): AsyncGenerator<string> {
          yield first;
          await goOn.promise;
          yield rest;
        }
        return new Response(body() as unknown as BodyInit, { headers: { "content-type": type } });
      });
      const call = testCall();
      const response = await ask(server.url, { fetch: by }, call.call);
      const reading = READERS[type]?.(response);
      await until(() => call.alive > 0, "a sign of life");
      goOn.resolve();
      await reading;
    });
  },
);
