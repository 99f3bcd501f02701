import { expect, test } from "bun:test";
import fc from "fast-check";
import { SecretIndex } from "./secret-index.ts";

const few = fc.constantFrom("a", "b", "ü", "日", "\u{1F600}", "\n");
const secret = fc.string({ unit: few, minLength: 4, maxLength: 7 });

test("those are found that stand in the text, wherever and however often, and no others", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(secret, { maxLength: 30 }),
      fc.array(secret, { maxLength: 5 }),
      fc.string({ unit: few, maxLength: 200 }),
      (secrets, gone, text) => {
        const index = new SecretIndex();
        for (const each of [...secrets, ...gone]) index.add(each);
        for (const each of gone) index.delete(each);
        const kept = secrets.filter((each) => !gone.includes(each));
        expect([...index.in(text)].sort()).toEqual(kept.filter((each) => text.includes(each)).sort());
      },
    ),
    { numRuns: 2_000 },
  );
});

test("the longest comes first", () => {
  const index = new SecretIndex();
  for (const each of ["secret", "secret-one", "secret-o"]) index.add(each);
  expect(index.in("this is secret-one")).toEqual(["secret-one", "secret-o", "secret"]);
});
