import { join } from "node:path";

const FRAME = /\(?(\/[^()]+):(\d+):(\d+)\)?$/;
const OURS = ["src", "toolkit", "plugins"].map((folder) => join(import.meta.dir, "../..", folder, "/"));

/**
 * Returns the first location of an error's stack in a plugin's own files, as `FILE:LINE:COLUMN`. Returns undefined if
 * there is none; locations in the gateway and its built-in plugins don't count, since they don't help the user.
 */
export function thrownAt(error: unknown): string | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return stack.split("\n").map(placeOf).find(isPlugins);
}

function placeOf(line: string): string | undefined {
  const [, file, row, column] = FRAME.exec(line.trim()) ?? [];
  return file && `${file}:${row}:${column}`;
}

function isPlugins(place: string | undefined): boolean {
  return (
    place !== undefined && !place.includes("/node_modules/") && !OURS.some((ours) => place.startsWith(ours))
  );
}
