import { readFileSync } from "node:fs";

const CHECK_MS = 1_000;

/**
 * Calls back when the npm or npx that started this process has ended. npm ends on SIGTERM without forwarding it, so stopping
 * `npx … run start` would leave the gateway running. Linux only, because it reads /proc.
 */
export function onNpmGone(callback: () => void): void {
  const npm = npmAbove(process.ppid);
  if (npm === undefined) return;
  const timer = setInterval(() => {
    if (isAlive(npm)) return;
    clearInterval(timer);
    callback();
  }, CHECK_MS);
  timer.unref();
}

/** Returns the nearest of a process and its ancestors that is npm or npx. */
function npmAbove(pid: number): number | undefined {
  for (let ancestor = pid; ancestor > 1; ancestor = parentOf(ancestor)) {
    if (/^(?:npm|npx)\b/.test(read(ancestor, "cmdline"))) return ancestor;
  }
  return undefined;
}

// The fourth field; the second is the program's name in parentheses, with whatever is in it.
function parentOf(pid: number): number {
  const [, parent] = /.*\) \S (\d+)/.exec(read(pid, "stat")) ?? [];
  return Number(parent ?? 0);
}

function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
