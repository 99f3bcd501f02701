import { httpClient } from "../../config/environment.ts";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { until, withinMs } from "./until.ts";

const ROOT = join(import.meta.dir, "../..");

/** A folder with a gateway.yaml and what lies beside it; removed when it is disposed. */
export class GatewayFolder implements Disposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "modelyard-process-"));
  readonly config: string = join(this.path, "gateway.yaml");

  constructor(yaml: string, files: Readonly<Record<string, string>> = {}) {
    for (const [name, text] of Object.entries({ ...files, "gateway.yaml": yaml })) this.write(name, text);
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, name), text);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process of the project's code; it is killed when it is disposed. */
export class CodeProcess implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #errors: ReadableStreamDefaultReader<Uint8Array>;
  readonly #read: Promise<unknown>;
  stdout = "";
  stderr = "";

  /**
   * Runs `script`, from the project's folder unless it is absolute. Its environment is PATH, the HTTP client of the test
   * run and `environment`.
   */
  constructor(
    script: string,
    parameters: readonly string[],
    { cwd = ROOT, environment = {} }: { cwd?: string; environment?: Readonly<Record<string, string>> } = {},
  ) {
    this.#process = Bun.spawn([process.execPath, resolve(ROOT, script), ...parameters], {
      cwd,
      env: { PATH: process.env["PATH"] ?? "", MODELYARD_HTTP_CLIENT: httpClient(), ...environment },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#errors = this.#process.stderr.getReader();
    this.#read = Promise.all([
      collect(this.#process.stdout.getReader(), (text) => (this.stdout += text)),
      collect(this.#errors, (text) => (this.stderr += text)),
    ]);
  }

  get pid(): number {
    return this.#process.pid;
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Resolves when the process has ended and all that it wrote was read. */
  async ended(ms = 10_000): Promise<Ended> {
    const code = await withinMs(this.#process.exited, `the end of the process\n${this.stderr}`, ms);
    await this.#read;
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  /** Reads no more of what it writes to stderr: whoever writes there then gets an error. */
  async closeStderr(): Promise<void> {
    await this.#errors.cancel();
  }

  /** The address that a gateway says it listens on, as soon as it says so. */
  async listening(): Promise<string> {
    const url = () => / listens on (\S+)[^]*\n\n$/.exec(this.stdout)?.[1];
    const ready = () => url() !== undefined || this.#process.exitCode !== null;
    await until(ready, "the gateway to listen", 10_000);
    const found = url();
    if (found === undefined) throw new Error(`the gateway did not start:\n${this.stderr}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}

/** A gateway as people start it: `bun src/main.ts --config …`. */
export function startMain(folder: GatewayFolder, environment: Readonly<Record<string, string>> = {}) {
  return new CodeProcess("src/main.ts", ["--config", folder.config], { environment });
}

async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  take: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    take(decoder.decode(read.value, { stream: true }));
  }
}
