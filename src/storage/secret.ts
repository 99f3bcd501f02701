import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StartupError } from "../errors/startup-error.ts";

const SHORTEST = 16;

/**
 * The secret that encrypts what plugins store: the configured one, or the one in `secret.key` beside the
 * database, which is made, readable by its owner only, when the database is `fresh`.
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
  // `wx`: of two gateways that start at once, one makes the file and the other reads it.
  writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: "wx" });
  return secret;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
