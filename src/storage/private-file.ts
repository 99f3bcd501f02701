import { accessSync, chmodSync, closeSync, constants, existsSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Rights of everybody but the owner. */
const OTHERS = 0o077;
/** What SQLite makes beside a database, with the database's own rights. */
const BESIDE = ["-wal", "-shm"];

/**
 * Makes a database's file, if it isn't there yet, so that only its owner can read it and what SQLite makes beside it;
 * takes the others' rights from files that are there. Throws where the file can't be made.
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
    // It is somebody else's: then it is theirs to say who may read it.
  }
}

/** Why this process can't write a file, and what to do about it, as the end of a sentence; "" where it can. */
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

/** The folders that a path lies in, the innermost first. */
function foldersOf(path: string): string[] {
  const folder = dirname(path);
  return folder === path ? [] : [folder, ...foldersOf(folder)];
}
