import { readdirSync, readFileSync } from "node:fs";

/** What a process holds, as Linux tells it. */
export interface Footprint {
  /** Resident memory in MiB. */
  readonly rss: number;
  /** Open files and sockets. */
  readonly descriptors: number;
}

export function footprintOf(pid: number): Footprint {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return { rss: Number(kilobytes) / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}
