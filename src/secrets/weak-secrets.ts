import type { Settings } from "../../config/settings.ts";
import { hashKey } from "../keys/keyring.ts";

/** Shortest secret that can't be guessed. */
const SHORTEST = 12;
/** Fewest different characters of such a secret. */
const FEWEST_DIFFERENT = 6;

/** Common placeholders. */
const COMMON = [
  "password",
  "passw0rd",
  "changeme",
  "change-me",
  "secret",
  "letmein",
  "qwerty",
  "admin",
  "master",
  "default",
  "example",
  "test",
  "apikey",
  "api-key",
  "sk-test",
  "sk-your-key",
  "your-api-key",
  "modelyard",
];
const SEQUENCES = ["0123456789", "1234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm"];

/** Hashes of weak keys: a hash reveals weakness only by equality. */
const WEAK_HASHES = new Set(
  ["", ...COMMON, ...SEQUENCES.flatMap((sequence) => [4, 6, 8, 10].map((end) => sequence.slice(0, end)))]
    .flatMap((text) => [text, text.repeat(2), `${text}1`, `${text}123`])
    .concat(Array.from({ length: 64 }, (_, length) => "a".repeat(length)))
    .concat(Array.from({ length: 64 }, (_, length) => "0".repeat(length)))
    .map((text) => hashKey(text)),
);

/** Returns warnings about guessable keys on a gateway that other machines can reach. */
export function weakSecretWarnings({ server, keys, storage }: Settings): string[] {
  if (server.host === "localhost" || server.host === "::1" || server.host.startsWith("127.")) return [];
  const warnings = keys
    .filter(({ key, key_sha256: hash }) => (key === undefined ? WEAK_HASHES.has(hash ?? "") : isWeak(key)))
    .map(
      ({ name }) =>
        `the key "${name}" can be guessed, and ${server.host} can be reached from elsewhere; take a random one, such as "sk-$(openssl rand -hex 24)"`,
    );
  if (storage.secret !== undefined && isWeak(storage.secret))
    warnings.push("storage.secret can be guessed; take a random one, such as `openssl rand -hex 32` makes");
  return warnings;
}

function isWeak(secret: string): boolean {
  const text = secret.trim().toLowerCase();
  if (text.length < SHORTEST || new Set(text).size < FEWEST_DIFFERENT) return true;
  if (/^\d+$/.test(text) && text.length < 16) return true;
  const rest = [...COMMON, ...SEQUENCES.flatMap(partsOf)].reduce(
    (left, common) => left.replaceAll(common, ""),
    text,
  );
  return rest.length < SHORTEST / 2;
}

/** Returns the parts of a sequence with at least four characters, the longest first. */
function partsOf(sequence: string): string[] {
  const parts: string[] = [];
  for (let length = sequence.length; length >= 4; length--)
    for (let at = 0; at + length <= sequence.length; at++) parts.push(sequence.slice(at, at + length));
  return parts;
}
