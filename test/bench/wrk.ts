import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Load } from "./client/job.ts";
import { bodyOf } from "./order.ts";

/** Where wrk is, or null. */
export const WRK = Bun.which("wrk");

/** How much was answered. */
export interface Answered {
  readonly requests: number;
  readonly seconds: number;
  readonly failed: number;
}

/** Has wrk ask the same over and over for `ms` (rounded up to seconds, which is all it knows). */
export async function runWrk(load: Load, connections: number, ms: number): Promise<Answered> {
  const directory = mkdtempSync(join(tmpdir(), "modelyard-bench-wrk-"));
  try {
    const body = join(directory, "body.json");
    writeFileSync(body, bodyOf(load.order, load.bytes));
    const { port, headers } = load.target;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const script = join(import.meta.dir, "wrk.lua");
    const limits = [
      "--threads",
      "1",
      "--connections",
      `${connections}`,
      "--duration",
      `${Math.ceil(ms / 1000)}s`,
    ];
    const command = [
      WRK ?? "wrk",
      ...limits,
      "--script",
      script,
      `http://127.0.0.1:${port}`,
      "--",
      body,
      ...lines,
    ];
    const wrk = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
    return answeredIn(await new Response(wrk.stdout).text());
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function answeredIn(output: string): Answered {
  const line = /^RESULT (.*)$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk told no result:\n${output}`);
  const result = JSON.parse(line) as { requests: number; microseconds: number; failed: number };
  return { requests: result.requests, seconds: result.microseconds / 1e6, failed: result.failed };
}
