import { expect, test } from "bun:test";
import fc from "fast-check";
import { canonicalText } from "../json/canonical-text.ts";
import { SecretIndex } from "./secret-index.ts";

const few = fc.constantFrom("a", "B", "3", "d", "-", "_", "+", "%", "\\", "ü", "&", " ");
const secret = fc.string({ unit: few, minLength: 6, maxLength: 40 });
const SHORTEST = 12;

/** The parts of a text whose letters and digits stand in a secret, too, found by trying all of them. */
function sharedParts(text: string, secrets: readonly string[]): string[] {
  const said = canonicalText(text);
  const all = secrets.map((each) => canonicalText(each).text);
  const parts: string[] = [];
  for (let at = 0; at + SHORTEST <= said.text.length; at++) {
    const part = said.text.slice(at, at + SHORTEST);
    // Parts without a digit may be ordinary words.
    if (/\d/.test(part) && all.some((each) => each.includes(part)))
      parts.push(text.slice(said.starts[at], said.ends[at + SHORTEST - 1]));
  }
  return parts;
}

test("whatever twelve characters of a secret stand in a text are found, also after others were deleted", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(secret, { maxLength: 10 }),
      fc.array(secret, { maxLength: 5 }),
      fc.array(fc.oneof(fc.nat(9), fc.string({ unit: few, maxLength: 20 })), { maxLength: 8 }),
      (secrets, gone, pieces) => {
        const index = new SecretIndex();
        for (const each of [...secrets, ...gone]) index.add(each);
        const kept = secrets.filter((each) => !gone.includes(each));
        for (const each of gone) index.delete(each);
        const text = pieces
          .map((piece) => (typeof piece === "string" ? piece : (secrets[piece] ?? "")))
          .join(" ");
        let rest = text;
        for (const { from, to } of [...index.spansIn(text)].reverse())
          rest = rest.slice(0, from) + "é#".repeat(2) + rest.slice(to);
        expect(sharedParts(rest, kept)).toEqual([]);
        for (const each of kept) expect(rest).not.toContain(each);
        if (kept.length === 0) expect(rest).toBe(text);
      },
    ),
    { numRuns: 2_000 },
  );
});

const KEY = "sk-canary-upstream-0f1e2d3c4b";
const WORDS = "organization-production-Xk29fQ";

test.each([
  "the canary upstream answered",
  "organization",
  "the organization production is down",
  "Organization…",
  "sk-canary is a prefix",
  "upstream 0",
  "keys begin with sk-ca…",
  "12 canaries up streams 0 f 1",
  "cafe0f1e2d3c4",
  "wait... upstream",
])("ordinary words are left alone: %s", (text) => {
  const index = new SecretIndex();
  for (const each of [KEY, WORDS, "password"]) index.add(each);
  expect(index.spansIn(text)).toEqual([]);
});

test("a secret of few characters is found as it is, and no word of other letters", () => {
  const index = new SecretIndex();
  for (const each of ["password", "pa$$wd", "k3y-12345"]) index.add(each);
  const found = (text: string) => index.spansIn(text).map(({ from, to }) => text.slice(from, to));
  expect(found("Password pass word password pa$$wd PA$$WD")).toEqual(["password", "pa$$wd"]);
  expect(found("k3y 12345, K3Y-12345")).toEqual(["k3y 12345", "K3Y-12345"]);
});

test("parts that overlap are one", () => {
  const index = new SecretIndex();
  for (const each of ["secret-one-0123456789", "0123456789-two-secret"]) index.add(each);
  expect(index.spansIn("a secret-one-0123456789-two-secret z")).toEqual([{ from: 2, to: 34 }]);
});
