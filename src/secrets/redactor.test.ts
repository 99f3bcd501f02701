import { expect, test } from "bun:test";
import { openTemporaryStorage } from "../storage/open-storage.ts";
import { makeKey } from "../keys/keyring.ts";
import { Redactor } from "./redactor.ts";

test("secrets are taken out wherever they stand, short ones are not", () => {
  const redactor = new Redactor();
  redactor.addLasting("sk-lasting");
  redactor.add("rotating-1");
  redactor.add("abc");
  expect(redactor.redact("a sk-lasting,rotating-1;sk-lasting abc")).toBe(
    "a [redacted],[redacted];[redacted] abc",
  );
});

test("credentials that rotate for ever don't make it grow for ever, and lasting secrets stay", () => {
  const redactor = new Redactor();
  redactor.addLasting("sk-lasting");
  for (let i = 0; i < 5_000; i++) redactor.add(`token-${i}-end`);
  expect(redactor.redact("token-0-end token-4999-end sk-lasting")).toBe("token-0-end [redacted] [redacted]");
});

test("a key made at run time is known by its form, and its prefix may be shown", async () => {
  const key = await makeKey({ name: "bob" }, openTemporaryStorage().keys);
  const { redact } = new Redactor();
  expect(redact(`a ${key},${key}; Bearer ${key.slice(0, 20)}…`)).toBe(
    "a [redacted],[redacted]; Bearer [redacted]…",
  );
  expect(redact(`bob (${key.slice(0, 10)}…)`)).toBe(`bob (${key.slice(0, 10)}…)`);
});

test("a secret is found as JSON writes it, too", () => {
  const redactor = new Redactor();
  redactor.addLasting('pass"word');
  redactor.add("line\nbreak");
  const said = JSON.stringify({ first: 'pass"word', second: "line\nbreak" });
  expect(redactor.redact(said)).toBe('{"first":"[redacted]","second":"[redacted]"}');
});

test("what is left of a secret where a text was cut is taken out, and nothing else before the cut", () => {
  const redactor = new Redactor();
  redactor.addLasting("sk-lasting-0123456789");
  redactor.add("sk-last-of-all");
  const { redact } = redactor;
  expect(redact("the key sk-lasting-0123…")).toBe("the key [redacted]…");
  expect(redact("sk-las sk-lasting-01…, then sk-las… and")).toBe("sk-las [redacted]…, then [redacted]… and");
  for (const text of ["sk-la…", "sk-lasting is…", "nothing…", "…"]) expect(redact(text)).toBe(text);
});

test("a message is cut after secrets were taken out of it, and what others cut before may end in one", () => {
  const redactor = new Redactor();
  redactor.addLasting("sk-lasting-0123456789");
  const { message } = redactor;
  const before = "x ".repeat(240);
  expect(message(`${before}sk-lasting-0123456789 and more of it all`)).toBe(`${before}[redacted] and more…`);
  expect(message("\u{1F600}".repeat(400))).toBe(`${"\u{1F600}".repeat(249)}\uFFFD…`);
  expect(message("the key sk-las")).toBe("the key [redacted]");
  expect(message("the key sk-la")).toBe("the key sk-la");
  expect(message("as it is\n")).toBe("as it is\n");
});
