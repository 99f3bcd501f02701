import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../config/load.ts";
import { weakSecretWarnings } from "./weak-secrets.ts";

function warningsOf(key: object, { host = "0.0.0.0", secret = "" } = {}): string[] {
  const file = {
    server: { host },
    keys: [{ name: "k", ...key }],
    upstreams: { up: { plugin: "./up.ts" } },
    ...(secret && { storage: { secret } }),
  };
  const { settings, problems } = parseConfig("gateway.yaml", JSON.stringify(file), {});
  expect(problems).toEqual([]);
  return weakSecretWarnings(settings!);
}

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}

describe("a key that can be guessed is told where the host is no loopback address", () => {
  test.each([
    "12345678",
    "password",
    "aaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaa",
    "password1234",
    "1234567890123",
    "sk-test-12345678",
    "your-api-key",
    "changeme-changeme",
    "qwertyuiop12",
    "abababababababab",
  ])("%s", (key) => {
    expect(warningsOf({ key })).toEqual([expect.stringContaining('the key "k" can be guessed')]);
    expect(warningsOf({ key }, { host: "::" })).toHaveLength(1);
    for (const host of ["127.0.0.1", "127.0.1.1", "::1", "localhost"])
      expect(warningsOf({ key }, { host })).toEqual([]);
  });

  test.each(["", "12345678", "password", "aaaaaaaa"])("the hash of %j", (text) => {
    expect(warningsOf({ key_sha256: sha256(text) })).toHaveLength(1);
  });
});

test.each(["a".repeat(16), " ".repeat(20), "0000000000000000"])("storage.secret %j", (secret) => {
  const key = "sk-5f3a9c1e7b2d8406";
  expect(warningsOf({ key }, { secret })).toEqual([expect.stringContaining("storage.secret can be guessed")]);
});

test.each([
  "sk-my-0193822e7f5b7b5e8f4e",
  "5f3a9c1e7b2d8406aa11",
  "correct-horse-battery-staple",
  "sk-alice-8Kq2mZ0xT4",
])("a key that can't is not: %s", (key) => {
  expect(warningsOf({ key })).toEqual([]);
  expect(warningsOf({ key_sha256: sha256(key) })).toEqual([]);
});
