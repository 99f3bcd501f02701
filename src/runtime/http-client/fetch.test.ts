import { afterAll, describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Socket } from "bun";
import { Authority } from "../../../test/support/certificates.ts";
import { until } from "../../../test/support/until.ts";
import type { Peer } from "../../../test/support/wire-server.ts";
import { whole, WireServer } from "../../../test/support/wire-server.ts";
import { CANCELLING } from "../cancel-token.ts";
import { CancelSource } from "../cancel-source.ts";
import type { ByteSource } from "../byte-source.ts";
import { PIECES, byteSourceOf } from "../byte-source.ts";
import { upstreamFetch } from "../../host/upstream-fetch.ts";

const authority = new Authority();
const certificate = authority.issue();
const PATIENCE = { connect: 10_000, first_event: 60_000 };
const outbound = upstreamFetch({ ownClient: true, authorities: authority.certificate })(PATIENCE);
afterAll(() => authority[Symbol.dispose]());

/** What reads a response without its methods. */
const NATIVE: ReadonlySet<string> = new Set(["Bun.write", "HTMLRewriter", "Bun.serve"]);

async function codeOf(failing: Promise<unknown>): Promise<unknown> {
  try {
    await failing;
  } catch (error) {
    return error instanceof Error && "code" in error ? error.code : error;
  }
  throw new Error("it did not fail");
}

/** Sends a text in pieces that the network keeps apart. */
async function inPieces(socket: Socket<Peer>, pieces: readonly string[]): Promise<void> {
  for (const piece of pieces) {
    socket.write(Buffer.from(piece, "latin1"));
    socket.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe.each(["http", "https"])("over %s", (scheme) => {
  const server = new WireServer(scheme === "https" ? certificate : undefined);
  const url = `${server.origin}/v1/x?y=1`;
  afterAll(() => server.stop());

  function post(body: string | Uint8Array<ArrayBuffer> = "{}", init: RequestInit = {}): Promise<Response> {
    const headers = { "Content-Type": "application/json", authorization: "Bearer k" };
    return outbound(url, { method: "POST", headers, body, redirect: "manual", ...init });
  }

  /** As the kit asks. */
  async function postForPieces(): Promise<ByteSource | undefined> {
    return byteSourceOf(await post("{}", { [PIECES]: true } as RequestInit));
  }

  describe("a request", () => {
    test("goes over the wire as it was given", async () => {
      server.respond = (_, socket) => void socket.write(whole("ok"));
      await (await post('{"a":"ü"}')).text();
      const [head = "", body] = (server.requests.at(-1) ?? "").split("\r\n\r\n");
      const [line, ...headers] = head.split("\r\n");
      expect(line).toBe("POST /v1/x?y=1 HTTP/1.1");
      expect(headers.toSorted()).toEqual(
        [
          `host: ${new URL(url).host}`,
          "connection: keep-alive",
          "content-type: application/json",
          "authorization: Bearer k",
          "accept: */*",
          "accept-encoding: gzip, deflate, br, zstd",
          "content-length: 10",
        ].toSorted(),
      );
      expect(Buffer.from(body ?? "", "latin1").toString()).toBe('{"a":"ü"}');
    });

    test("of any size arrives whole, as text and as bytes", async () => {
      server.respond = (request, socket) =>
        void socket.write(whole(String(Bun.hash(request.split("\r\n\r\n")[1] ?? ""))));
      for (const size of [0, 1, 200_000, 600_000, 3_000_000]) {
        const body = "x".repeat(size);
        const hash = String(Bun.hash(body));
        expect(await (await post(body)).text()).toBe(hash);
        expect(await (await post(new TextEncoder().encode(body))).text()).toBe(hash);
      }
    });

    test("whose server reads slowly arrives whole, though others are put together meanwhile", async () => {
      const slowly = Bun.listen<{ size: number; sum: number }>({
        hostname: "127.0.0.1",
        port: 0,
        socket: {
          open: (socket) => {
            socket.data = { size: 0, sum: 0 };
            socket.pause();
            setTimeout(() => socket.resume(), 20);
          },
          data: (socket, bytes) => {
            const { data } = socket;
            for (const byte of bytes) if (byte >= 0x80) data.sum += byte;
            data.size += bytes.filter((byte) => byte >= 0x80).length;
            if (data.size === SIZE) socket.write(whole(String(data.sum / SIZE)));
          },
        },
      });
      const SIZE = 480_000;
      const ask = async (byte: number) => {
        const body = new Uint8Array(SIZE).fill(byte);
        const url = `http://127.0.0.1:${slowly.port}/`;
        const response = await outbound(url, { method: "POST", body, redirect: "manual" });
        return Number(await response.text());
      };
      const bytes = Array.from({ length: 32 }, (_, n) => 0x80 + n);
      expect(await Promise.all(bytes.map(ask))).toEqual(bytes);
      slowly.stop(true);
    });

    test("that needs more than a plain one goes the usual way", async () => {
      server.respond = (_, socket) => void socket.write(whole("ok"));
      const before = server.accepted;
      expect(await (await post("{}")).text()).toBe("ok");
      const usual = await outbound(url, { method: "PUT", body: "{}" });
      expect(await usual.text()).toBe("ok");
      expect(server.requests.at(-1)).toStartWith("PUT ");
      expect(server.accepted).toBeGreaterThan(before);
      expect(codeOf(post("{}", { headers: { "x-a": "b\r\nx-evil: 1" } }))).resolves.toBeInstanceOf(TypeError);
      expect(server.requests.at(-1)).not.toContain("evil");
    });

    test("to nobody is refused with the system's word", async () => {
      const nobody = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
      const url = `http://127.0.0.1:${nobody.port}/`;
      nobody.stop(true);
      expect(await codeOf(outbound(url, { redirect: "manual" }))).toBe("ECONNREFUSED");
    });
  });

  describe("an answer", () => {
    const body = "data: ü\n\ndata: \u{1f600}\n\n";
    const bytes = Buffer.from(body).toString("latin1");
    const framed = (parts: readonly string[]) =>
      parts.map((part) => `${part.length.toString(16)};ext=1\r\n${part}\r\n`).join("");
    const FORMS: Readonly<Record<string, string>> = {
      "with a length": `HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes}`,
      "in chunks": `HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\ntransfer-encoding: chunked\r\n\r\n${framed([bytes.slice(0, 7), bytes.slice(7)])}0\r\nx-trailer: 1\r\n\r\n`,
      "after an interim one": `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: ${bytes.length}\r\n\r\n${bytes}`,
    };

    test.each(Object.entries(FORMS))("%s is the same however the network cuts it", async (_, wire) => {
      const cuts = fc.uniqueArray(fc.nat(wire.length), { maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(cuts, async (places) => {
          const edges = [0, ...places.toSorted((a, b) => a - b), wire.length];
          const pieces = edges.slice(1).map((to, index) => wire.slice(edges[index], to));
          server.respond = (_request, socket) => void inPieces(socket, pieces.filter(Boolean));
          const response = await post();
          expect([response.status, response.headers.get("x-a")]).toEqual([200, "1, 2"]);
          expect(await response.text()).toBe(body);
        }),
        { numRuns: 60 },
      );
    });

    test.each(Object.entries(FORMS))("%s that is cut short anywhere is a failure", async (_, wire) => {
      for (let length = 0; length < wire.length; length++) {
        server.respond = (_request, socket) => void socket.end(Buffer.from(wire.slice(0, length), "latin1"));
        expect(await codeOf(post().then((response) => response.text()))).toBe("ECONNRESET");
      }
    });

    test("without a length ends with its connection", async () => {
      server.respond = (_, socket) => void socket.end("HTTP/1.1 200 OK\r\n\r\nto the end");
      expect(await (await post()).text()).toBe("to the end");
    });

    test.each([
      ["no HTTP", "SSH-2.0-OpenSSH\r\n\r\n"],
      ["a chunk without a size", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n"],
      ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc"],
      ["endless headers", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(200_000)}`],
    ])("that is %s is a failure of HTTP", async (_, wire) => {
      server.respond = (_request, socket) => void socket.write(wire);
      expect(await codeOf(post().then((response) => response.text()))).toMatch(/^HPE_/);
    });

    test.each([
      ["bare line feeds", "HTTP/1.1 200 OK\ncontent-length: 2\n\nok"],
      [
        "spaces behind a chunk's size",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2  \r\nok\r\n0\r\n\r\n",
      ],
      [
        "a length beside its chunks",
        "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
      ],
      ["the same length twice", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nok"],
      ["the same length twice in one line", "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok"],
      ["no reason", "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok"],
      ["100 KiB of headers", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}\r\ncontent-length: 2\r\n\r\nok`],
    ])("with %s is understood, as home-made servers send it", async (_, wire) => {
      server.respond = (_request, socket) => void socket.write(wire);
      expect(await (await post()).text()).toBe("ok");
    });

    test("with many headers has all of them", async () => {
      const many = Array.from({ length: 150 }, (_, n) => `x-${n}: ${n}\r\n`).join("");
      server.respond = (_, socket) => void socket.write(whole("ok", many));
      const { headers } = await post();
      for (let n = 0; n < 150; n++) expect(headers.get(`x-${n}`)).toBe(String(n));
    });

    test("with the same length twice is understood however the network cuts it", async () => {
      const wire = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\ncontent-length: 2\r\n\r\nok";
      for (let cut = 1; cut < wire.length; cut++) {
        server.respond = (_, socket) => void inPieces(socket, [wire.slice(0, cut), wire.slice(cut)]);
        const response = await post();
        expect([response.headers.get("x-a"), await response.text()]).toEqual(["b", "ok"]);
      }
    });

    test("that switches protocols, for which nobody has asked, is a failure", async () => {
      server.respond = (_, socket) =>
        void socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
      const closed = server.closed;
      expect(await codeOf(post())).toBe("HPE_INVALID_STATUS");
      await until(() => server.closed > closed, "the connection to be closed");
    });

    test("without a body has none", async () => {
      server.respond = (_, socket) => void socket.write("HTTP/1.1 204 No Content\r\n\r\n");
      const response = await post();
      expect([response.status, response.body, await response.text()]).toEqual([204, null, ""]);
    });

    test("that was compressed unasked is unpacked", async () => {
      const packed = Bun.gzipSync(Buffer.from("packed"));
      server.respond = (_, socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${packed.length}\r\n\r\n`);
        socket.write(packed);
      };
      const response = await post();
      expect(response.headers.get("content-encoding")).toBeNull();
      expect(await response.text()).toBe("packed");
    });

    test("with a status that is none is a failure, and its connection is closed", async () => {
      server.respond = (_, socket) => void socket.write("HTTP/1.1 700 What\r\ncontent-length: 9\r\n\r\nab");
      const closed = server.closed;
      expect(await codeOf(post())).toBe("HPE_INVALID_STATUS");
      await until(() => server.closed > closed, "the connection to be closed");
    });

    test("may have headers of any name", async () => {
      server.respond = (_, socket) => void socket.write(whole("ok", "constructor: a\r\n__proto__: b\r\n"));
      const { headers } = await post();
      expect([headers.get("constructor"), headers.get("__proto__")]).toEqual(["a", "b"]);
    });

    test("is a Response with all that one has", async () => {
      const head = "HTTP/1.1 201 Well Done\r\ncontent-length: 2\r\nx-a: 1\r\nx-a: 2\r\n\r\n";
      server.respond = (_, socket) => void socket.write(`${head}{}`);
      const ours = await post();
      expect(ours).toBeInstanceOf(Response);
      expect(Object.prototype.toString.call(ours)).toBe("[object Response]");
      const { status, statusText, ok, redirected, type, url: from, bodyUsed } = ours;
      expect({ status, statusText, ok, redirected, type, from, bodyUsed }).toEqual({
        status: 201,
        statusText: "Well Done",
        ok: true,
        redirected: false,
        type: "default",
        from: url,
        bodyUsed: false,
      });
      expect([...ours.headers]).toEqual([
        ["content-length", "2"],
        ["x-a", "1, 2"],
      ]);
      expect(await ours.json()).toEqual({});
      expect(ours.bodyUsed).toBe(true);
    });

    const READINGS: Readonly<Record<string, (response: Response) => unknown>> = {
      text: (response) => response.text(),
      bytes: async (response) => Buffer.from(await response.bytes()).toString(),
      arrayBuffer: async (response) => Buffer.from(await response.arrayBuffer()).toString(),
      blob: async (response) => (await response.blob()).text(),
      body: async ({ body }) => Buffer.concat(await Array.fromAsync(body ?? [])).toString(),
      textStream: async (response) => (await Array.fromAsync(response.textStream())).join(""),
      "Bun.readableStreamToText": ({ body }) => body && Bun.readableStreamToText(body),
      "new Response": (response) => new Response(response.body).text(),
      "the clone": async (response) => {
        const clone = response.clone();
        expect([clone.url, clone.status, await response.text()]).toEqual([url, 200, "<p>abc</p>"]);
        return clone.text();
      },
      "Bun.write": async (response) => {
        const file = Bun.file(join(tmpdir(), `modelyard-body-${process.pid}`));
        expect(await Bun.write(file, response)).toBe(10);
        const written = await file.text();
        await file.delete();
        return written;
      },
      HTMLRewriter: async (response) => {
        let seen = "";
        const rewriter = new HTMLRewriter().on("p", { text: ({ text }) => void (seen += text) });
        const rewritten = await rewriter.transform(response).text();
        expect(seen).toBe("abc");
        return rewritten;
      },
      "Bun.serve": async (response) => {
        await using between = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => response });
        return (await fetch(between.url)).text();
      },
    };

    test.each(Object.entries(READINGS))("has a body that can be read by %s", async (_, read) => {
      server.respond = (_request, socket) => void socket.write(whole("<p>abc</p>"));
      expect(await read(await post())).toBe("<p>abc</p>");
    });

    test.each(Object.entries(READINGS).filter(([name]) => !NATIVE.has(name)))(
      "for who asked for pieces can be read by %s as well",
      async (_, read) => {
        server.respond = (_request, socket) => void socket.write(whole("<p>abc</p>"));
        const response = await post("{}", { [PIECES]: true } as RequestInit);
        expect(await read(response)).toBe("<p>abc</p>");
        expect(byteSourceOf(response)).toBeUndefined();
      },
    );

    test("can be read by pieces", async () => {
      server.respond = (_, socket) => void socket.write(whole("abc"));
      const streamed = (await post("{}", { [PIECES]: true } as RequestInit)).body;
      for (const pieces of [await postForPieces(), streamed ? byteSourceOf(streamed) : undefined]) {
        const read: Uint8Array[] = [];
        for (let piece = await pieces?.next(); piece; piece = await pieces?.next()) read.push(piece);
        expect(Buffer.concat(read).toString()).toBe("abc");
      }
    });

    test("that nobody reads stops its sender", async () => {
      let sent = 0;
      const chunk = Buffer.alloc(256 * 1024, "x");
      let isFull = false;
      server.respond = (_, socket) => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n");
        for (let n = 0; n < 400 && !isFull; n++) {
          const written = socket.write(chunk);
          sent += written;
          isFull = written < chunk.length;
        }
      };
      const response = await post();
      await until(() => isFull, "the sender to be held up");
      // What the kernel holds on both sides, and no more.
      expect(sent).toBeLessThan(50_000_000);
      await response.body?.cancel();
    });
  });

  describe("a connection", () => {
    test("serves one request after the other, and is not used again when it may not be", async () => {
      server.respond = (_, socket) => void socket.write(whole("ok"));
      await (await post()).text();
      const before = server.accepted;
      for (let n = 0; n < 5; n++) await (await post()).text();
      expect(server.accepted).toBe(before);
      server.respond = (_, socket) => void socket.write(whole("ok", "connection: close\r\n"));
      await (await post()).text();
      server.respond = (_, socket) => void socket.write(whole("ok"));
      await (await post()).text();
      expect(server.accepted).toBe(before + 1);
    });

    test("whose server speaks without being asked is left", async () => {
      server.respond = (_, socket) => void socket.write(`${whole("ok")}HTTP/1.1 200 OK\r\n`);
      await (await post()).text();
      const before = server.accepted;
      server.respond = (_, socket) => void socket.write(whole("mine"));
      expect(await (await post()).text()).toBe("mine");
      expect(server.accepted).toBe(before + 1);
    });

    test("that a server has closed while it was idle is soon forgotten", async () => {
      server.respond = (_, socket) => {
        socket.write(whole("ok"));
        setImmediate(() => socket.end());
      };
      const closed = server.closed;
      await (await post()).text();
      await until(() => server.closed > closed, "the server to close");
      server.respond = (_, socket) => void socket.write(whole("again"));
      // The news of it may be on its way still.
      const again = () => post().then((response) => response.text(), String);
      await until(async () => (await again()) === "again", "an answer over another connection");
      expect(await again()).toBe("again");
    });

    test("is used again after an answer of which the rest was of no interest", async () => {
      const answering = Promise.withResolvers<Socket<Peer>>();
      server.respond = (_, socket) => {
        socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
        answering.resolve(socket);
      };
      const pieces = await postForPieces();
      await pieces?.next();
      pieces?.drain();
      const mine = await answering.promise;
      mine.write("0\r\n\r\n");
      expect(await pieces?.next()).toBeUndefined();
      let usedAgain: Peer | undefined;
      server.respond = (_, socket) => {
        usedAgain = socket.data;
        socket.write(whole("ok"));
      };
      await (await post()).text();
      expect(usedAgain).toBe(mine.data);
    });

    test("whose server doesn't end an answer of which the rest is of no interest is closed", async () => {
      server.respond = (_, socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
      const pieces = await postForPieces();
      await pieces?.next();
      const closed = server.closed;
      pieces?.drain();
      await until(() => server.closed > closed, "the connection to be closed");
    });
  });

  describe("who leaves", () => {
    const reason = new Error("the client left");

    test("before the connection stands, before the head or in the body has the reason, and the server the end", async () => {
      for (const wire of ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"]) {
        const controller = new AbortController();
        const reached = Promise.withResolvers<void>();
        server.respond = (_, socket) => {
          socket.write(wire);
          reached.resolve();
        };
        const closed = server.closed;
        const answer = post("{}", { signal: controller.signal }).then((response) => response.text());
        answer.catch(() => undefined);
        await reached.promise;
        controller.abort(reason);
        expect(await codeOf(answer)).toBe(reason);
        await until(() => server.closed > closed, "the server to notice");
      }
      expect(await codeOf(post("{}", { signal: AbortSignal.abort(reason) }))).toBe(reason);
    });

    // A PUT goes the usual way.
    test.each(["POST", "PUT"])("without a signal, too (%s)", async (method) => {
      const cancellation = new CancelSource<Error>();
      const reached = Promise.withResolvers<void>();
      server.respond = () => reached.resolve();
      const closed = server.closed;
      const init = { method, body: "{}", redirect: "manual", [CANCELLING]: cancellation } as const;
      const answer = outbound(url, init);
      await reached.promise;
      cancellation.cancel(reason);
      expect(await codeOf(answer)).toBe(reason);
      await until(() => server.closed > closed, "the server to notice");
      expect(await codeOf(outbound(url, init))).toBe(reason);
    });

    test("while connecting has the reason at once", async () => {
      const controller = new AbortController();
      const answer = outbound("http://127.0.0.1:1/", { signal: controller.signal, redirect: "manual" });
      controller.abort(reason);
      expect(await codeOf(answer)).toBe(reason);
    });

    test("by cancelling the body closes the connection", async () => {
      server.respond = (_, socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
      const closed = server.closed;
      const response = await post();
      await response.body?.cancel();
      await until(() => server.closed > closed, "the server to notice");
    });
  });
});
