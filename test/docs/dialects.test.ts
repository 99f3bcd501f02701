import { expect, test } from "bun:test";
import { join } from "node:path";
import { LOSSY_MESSAGES } from "../support/dialects/lossy-messages.ts";
import { table } from "./page.ts";

const page = await Bun.file(join(import.meta.dir, "../../docs/dialects.md")).text();

test("the page says what is lost of a Messages request, as the round trip has found it", () => {
  const [, lost = ""] = page.split("### What is lost\n");
  const expected = LOSSY_MESSAGES.map(({ name, result, told }) => [name, result, told && `\`${told}\``]);
  expect(table(lost, "case")).toEqual(expected);
});
