import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../support/until.ts";

export const ROOT = join(import.meta.dir, "../..");

/** Clock ticks a second in /proc/PID/stat: the same on every Linux that Bun runs on. */
const TICKS = 100;
const START_MS = 20_000;
/** Bytes of the output that can be read: the last ones. */
const KEPT_OUTPUT = 20_000;

/** What a server gets of our environment, and what it gets besides. */
export interface ServerOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A server in a process of its own, whose cost can be read from /proc; it is killed when it is disposed. */
export class ServerProcess implements AsyncDisposable {
  readonly #process: Bun.Subprocess;
  /** Of a file, as a service's log is one: with a pipe the reader's pace would be part of what is measured. */
  readonly #log = openLog();

  constructor(command: readonly string[], { cwd = ROOT, environment = {} }: ServerOptions = {}) {
    this.#process = Bun.spawn([...command], {
      cwd,
      // Bun's default of 256 outgoing requests would be what a stream scenario measures.
      env: { PATH: process.env["PATH"] ?? "", BUN_CONFIG_MAX_HTTP_REQUESTS: "65535", ...environment },
      stdin: "ignore",
      stdout: this.#log,
      stderr: this.#log,
    });
  }

  /** A server that says `listens on URL` when it is ready, as ours do. */
  static async listening(command: readonly string[], options?: ServerOptions) {
    const server = new ServerProcess(command, options);
    const url = () => /listens on (http:\S+)\s/.exec(server.output)?.[1];
    await server.#ready(() => url() !== undefined);
    return { server, url: url() ?? "" };
  }

  /** A server that says nothing: it is ready as soon as its port can be connected to. */
  static async answering(command: readonly string[], port: number, options?: ServerOptions) {
    const server = new ServerProcess(command, options);
    await server.#ready(() => canConnect(port));
    return { server, url: `http://127.0.0.1:${port}` };
  }

  /** The end of what it has written. */
  get output(): string {
    const { size } = fstatSync(this.#log);
    const end = Buffer.alloc(Math.min(size, KEPT_OUTPUT));
    return end.toString("utf8", 0, readSync(this.#log, end, 0, end.length, size - end.length));
  }

  /** Resolves when its output is as it should be. */
  async says(condition: () => boolean): Promise<void> {
    await until(condition, "a process's word", START_MS);
  }

  /** CPU time spent so far, user and system, all threads, in seconds. */
  get cpuSeconds(): number {
    const fields = statFields(this.#process.pid);
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  }

  /** Resident memory in KiB. */
  get rss(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, "latin1");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    closeSync(this.#log);
  }

  async #ready(condition: () => boolean | Promise<boolean>): Promise<void> {
    const ended = () => this.#process.exitCode !== null;
    try {
      await until(async () => ended() || (await condition()), "the server to listen", START_MS);
      if (ended()) throw new Error("the server ended");
    } catch (cause) {
      const { output } = this;
      await this[Symbol.asyncDispose]();
      throw new Error(`${this.#process.pid} did not start:\n${output}`, { cause });
    }
  }
}

/** What /proc tells of a process behind its name: its state first, user and system time in ticks as 11 and 12. */
export function statFields(pid: number | "self"): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // The name stands in brackets and may hold anything.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** A new file to append to, which is gone as soon as it is closed. */
function openLog(): number {
  const directory = mkdtempSync(join(tmpdir(), "modelyard-bench-log-"));
  const log = openSync(join(directory, "log"), "a+");
  rmSync(directory, { recursive: true });
  return log;
}

async function canConnect(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}
