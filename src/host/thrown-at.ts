import { join } from "node:path";

const FRAME = /\(?(\/[^()]+):(\d+):(\d+)\)?$/;
const OURS = ["src", "toolkit", "plugins"].map((folder) => join(import.meta.dir, "../..", folder, "/"));

/**
 * Returns the first location of an error's stack in a plugin's own files, as `FILE:LINE:COLUMN`. Returns undefined if
 * there is none; locations in the gateway and its built-in plugins don't count, since they don't help the user.
 */
export function thrownAt(error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const line of stack.split("\n")) {
    const [, file, row, column] = FRAME.exec(line.trim()) ?? [];
    const isPlugins = file && !file.includes("/node_modules/") && !OURS.some((ours) => file.startsWith(ours));
    if (isPlugins) return `${file}:${row}:${column}`;
  }
  return undefined;
}
