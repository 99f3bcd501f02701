import { join } from "node:path";

const FRAME = /\(?(\/[^()]+):(\d+):(\d+)\)?$/;
const OURS = ["src", "toolkit", "plugins"].map((folder) => join(import.meta.dir, "../..", folder, "/"));

/**
 * Where in a plugin's own files an error was made, as `FILE:LINE:COLUMN`. Undefined when its stack doesn't tell,
 * and for the gateway's own code and built-ins: there the message is for the user, and the place is of no use.
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
