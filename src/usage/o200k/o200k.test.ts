import { expect, test } from "bun:test";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { O200k } from "./o200k.ts";

const o200k = new O200k();
const reference = (text: string): number => countTokens(text, { disallowedSpecial: new Set() });

test("the table holds the tokens of o200k_base in the order of their ranks", async () => {
  const published = new URL("../data/o200k_base.tiktoken", import.meta.resolve("gpt-tokenizer"));
  const lines = (await Bun.file(published).text()).trimEnd().split("\n");
  const tokens = lines.map((line) => Buffer.from(line.split(" ")[0]!, "base64"));
  expect(lines.map((line) => Number(line.split(" ")[1]))).toEqual(lines.map((_, rank) => rank));
  const expected = Buffer.concat(tokens.flatMap((token) => [Buffer.of(token.length), token]));
  const table = await Bun.file(new URL("o200k_base.bin", import.meta.url)).bytes();
  expect(expected.equals(table)).toBe(true);
});

test.each([
  ["nothing", ""],
  ["English", "The quick brown fox, I'LL say, jumped 12345 times.\r\n\r\n  Twice!"],
  ["many scripts", "Größenwahn — Ça va ? Çок, 你好，世界！ 東京タワー 안녕하세요 สวัสดี مرحبا"],
  ["emoji, marks, half a character", "👩‍👩‍👧‍👦🌍 e\u0301 \ud800"],
  ["what looks like a special token", "<|endoftext|>"],
  ["a long word", "a".repeat(512)],
  ["a long row of emoji", "🌍".repeat(200)],
  ["code", "export const a = (b: number): void => {\n\t\tif (b >= 0x10) return;\n};\n"],
])("%s has as many tokens as in the reference", (_, text) => {
  expect(o200k.count(text)).toBe(reference(text));
});

test("texts made at random have as many tokens as in the reference", () => {
  const blocks = [0x20, 0x41, 0x61, 0x30, 0xa0, 0x300, 0x410, 0x627, 0x3042, 0x4e00, 0xac00, 0x1f300];
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let round = 0; round < 500; round++) {
    const characters = Array.from({ length: 60 }, () => blocks[random(blocks.length)]! + random(26));
    const text = String.fromCodePoint(...characters);
    expect([text, o200k.count(text)]).toEqual([text, reference(text)]);
  }
});
