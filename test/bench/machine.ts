import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { ROOT, statFields } from "./process.ts";
import { NGINX } from "../support/nginx.ts";
import { WRK } from "./wrk.ts";

/** What a run ran on, and with what. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly versions: Readonly<Record<string, string>>;
  /** The commit, with `+` when files differ from it. */
  readonly commit: string;
}

export function machine(): Machine {
  const [first] = cpus();
  return {
    cpu: first?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    versions: {
      bun: Bun.version,
      nginx: /nginx\/(\S+)/.exec(said(NGINX, "-v"))?.[1] ?? "not installed",
      wrk: /wrk (\S+)/.exec(said(WRK, "-v"))?.[1] ?? "not installed",
      node: /v(\S+)/.exec(said(Bun.which("node"), "-v"))?.[1] ?? "not installed",
    },
    commit: commit(),
  };
}

/** CPU time in ticks that the machine has had, and that others than the benchmark have spent of it. */
export interface MachineTime {
  readonly total: number;
  readonly others: number;
}

/** Counts processes of the benchmark once they have ended; so it is to be asked when none is running. */
export function machineTime(): MachineTime {
  const [, ...ticks] = (readFileSync("/proc/stat", "latin1").split("\n")[0] ?? "").split(/\s+/);
  // user nice system idle iowait irq softirq steal; guest time, which follows, is in user already.
  const spent = ticks.slice(0, 8).map(Number);
  const [, , , idle = 0, waiting = 0] = spent;
  const total = spent.reduce((sum, each) => sum + each, 0);
  const [user = 0, system = 0, childrensUser = 0, childrensSystem = 0] = statFields("self")
    .slice(11, 15)
    .map(Number);
  return { total, others: total - idle - waiting - user - system - childrensUser - childrensSystem };
}

/** The share of the machine that others took in between, 0 to 1. */
export function loadOfOthers(before: MachineTime, after: MachineTime): number {
  return Math.max(0, after.others - before.others) / Math.max(1, after.total - before.total);
}

function commit(): string {
  const head = said("git", "rev-parse", "--short=12", "HEAD").trim();
  if (!/^[0-9a-f]+$/.test(head)) return "unknown";
  const changed = said("git", "status", "--porcelain", "--untracked-files=no").trim() !== "";
  return changed ? `${head}+` : head;
}

/** What a command says, on either of its outputs; nothing when it isn't there. */
function said(command: string | null, ...parameters: readonly string[]): string {
  if (command === null || Bun.which(command) === null) return "";
  const { stdout, stderr } = Bun.spawnSync([command, ...parameters], { cwd: ROOT });
  return `${stdout.toString()}${stderr.toString()}`;
}
