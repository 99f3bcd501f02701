import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { withinMs } from "./until.ts";

const SHIPPED = join(import.meta.dir, "../../deploy/nginx.conf");

/** Where nginx is, or null. */
export const NGINX = Bun.which("nginx", { PATH: `${process.env["PATH"]}:/usr/sbin:/usr/local/sbin` });

/** nginx with the shipped configuration, in front of a gateway. */
export interface RunningNginx extends AsyncDisposable {
  /** As `http://127.0.0.1:40123`. */
  readonly url: string;
}

/**
 * Starts nginx as deploy/nginx.conf has it, only that it listens on a free loopback port and its upstream is
 * the given `host:port`. Resolves when it listens. `isBelowPath` takes in the line that serves it below `/ai/`, too.
 */
export async function startNginx(upstream: string, isBelowPath = false): Promise<RunningNginx> {
  const directory = mkdtempSync(join(tmpdir(), "modelyard-nginx-"));
  const listen = `127.0.0.1:${freePort()}`;
  const shipped = await Bun.file(SHIPPED).text();
  const adapted = replaced(
    replaced(shipped, "server gateway:8088;", `server ${upstream};`),
    "listen 8080;",
    `listen ${listen};`,
  );
  const config = isBelowPath ? replaced(adapted, "# location /ai/", "location /ai/") : adapted;
  await Bun.write(join(directory, "nginx.conf"), config);
  // The shipped log level says nothing at the start; nginx's own notices do.
  const globals = `daemon off; pid ${directory}/nginx.pid; error_log stderr notice;`;
  const nginx = Bun.spawn(
    [NGINX ?? "nginx", "-p", directory, "-c", "nginx.conf", "-e", "stderr", "-g", globals],
    {
      stdin: "ignore",
      // nginx opens /dev/stdout by its name, which a pipe of Bun's, being a socket, doesn't allow.
      stdout: Bun.file(join(directory, "access.log")),
      stderr: "pipe",
    },
  );
  const running = {
    url: `http://${listen}`,
    async [Symbol.asyncDispose]() {
      nginx.kill("SIGTERM");
      await nginx.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
  try {
    await withinMs(saying(nginx.stderr, "start worker process"), "nginx's start");
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
  return running;
}

function replaced(text: string, before: string, after: string): string {
  if (!text.includes(before)) throw new Error(`deploy/nginx.conf has no "${before}" any more`);
  return text.replace(before, after);
}

/** Reads on to the end, so that nginx never waits for a reader, but resolves at the first line with `words`. */
async function saying(output: ReadableStream<Uint8Array>, words: string): Promise<void> {
  const said = Promise.withResolvers<void>();
  void (async () => {
    const decoder = new TextDecoder();
    let text = "";
    for await (const piece of output) {
      text = `${text}${decoder.decode(piece, { stream: true })}`.slice(-10_000);
      if (text.includes(words)) said.resolve();
    }
    said.reject(new Error(`nginx ended: ${text}`));
  })();
  await said.promise;
}
