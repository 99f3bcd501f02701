import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StartupError } from "../errors/startup-error.ts";

const SHORTEST = 16;

/**
 * Returns the secret that encrypts plugin state: the configured one, or the content of `secret.key` beside the database.
 * If the database was just created (`fresh`), creates that file, readable by its owner only. Throws a StartupError if
 * the secret is too short, missing or unreadable.
 */
export function storageSecret(configured: string | undefined, folder: string, fresh: boolean): string {
  if (configured !== undefined) {
    if (configured.length >= SHORTEST) return configured;
    throw new StartupError(
      `storage.secret has fewer than ${SHORTEST} characters; \`openssl rand -hex 32\` makes a good one`,
    );
  }
  const file = join(folder, "secret.key");
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    if (!isMissing(cause))
      throw new StartupError(`the secret in ${file} can't be read: ${String(cause)}`, { cause });
    if (!fresh) {
      throw new StartupError(
        `${file} is missing, and the database was encrypted with it; put it back, set storage.secret to what it held, or move the database away to begin anew`,
        { cause },
      );
    }
  }
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
  // `wx` fails if another gateway, started at the same time, has created the file meanwhile.
  writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: "wx" });
  return secret;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
