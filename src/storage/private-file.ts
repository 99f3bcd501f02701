import { accessSync, chmodSync, closeSync, constants, existsSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Permission bits of group and others. */
const OTHERS = 0o077;
/** Suffixes of the files that SQLite creates beside a database, with the permissions of the database. */
const BESIDE = ["-wal", "-shm"];

/**
 * Creates a database file that only its owner can read, and removes the permissions of group and others from existing
 * files of the database. Throws if the file can't be created.
 */
export function makePrivate(file: string): void {
  if (!existsSync(file)) closeSync(openSync(file, "a", 0o600));
  for (const each of [file, ...BESIDE.map((end) => file + end)]) takeRights(each);
}

function takeRights(file: string): void {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & OTHERS) === 0) return;
  try {
    chmodSync(file, mode & 0o777 & ~OTHERS);
  } catch {
    // Only the owner of a file may change its permissions.
  }
}

/** Returns why this process can't write to a file, and the remedy, as the end of a sentence; "" if it can. */
export function writingAdvice(file: string): string {
  const found = [file, ...foldersOf(file)].filter((path) => existsSync(path));
  const barred = found.slice(0, 2).find((path) => refusal(path) !== undefined);
  if (barred === undefined) return "";
  if (refusal(barred) === "EROFS") return `; ${barred} is on a read-only file system: mount it writable`;
  const { uid, mode } = statSync(barred);
  const me = process.getuid?.() ?? uid;
  const rights = (mode & 0o777).toString(8).padStart(4, "0");
  const mend = me === uid ? `chmod u+w ${barred}` : `chown -R ${me} ${dirname(file)}`;
  return `; ${barred} belongs to uid ${uid} (mode ${rights}), and the gateway runs as uid ${me}: \`${mend}\` lets it write there, or name another place`;
}

function refusal(path: string): string | undefined {
  try {
    accessSync(path, constants.W_OK);
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "";
  }
}

/** Returns the parent folders of a path, innermost first. */
function foldersOf(path: string): string[] {
  const folder = dirname(path);
  return folder === path ? [] : [folder, ...foldersOf(folder)];
}
