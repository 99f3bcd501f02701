import { expect, test } from "bun:test";
import { requestOf } from "../../test/support/request-of.ts";
import { O200k } from "./o200k/o200k.ts";
import type { ChatRequest } from "../contract/index.ts";
import { retainSource } from "../json/source.ts";
import type { OutputBounds } from "./token-estimate.ts";
import { estimateRequest, estimateTokens, TokenTally } from "./token-estimate.ts";

const o200k = new O200k();

const TEXTS = {
  English:
    "The quick brown fox jumps over the lazy dog, and nobody in the village remembers why it was in such a hurry that morning.",
  German:
    "Die Geschwindigkeitsbegrenzung gilt für alle Verkehrsteilnehmer, auch wenn größere Fahrzeuge längere Bremswege benötigen.",
  Chinese: "人工智能正在改变我们的生活方式，许多企业开始使用大型语言模型来处理客户的问题和日常工作。",
  Japanese:
    "人工知能は私たちの生活を変えつつあり、多くの企業が大規模言語モデルを使って顧客の質問に答えています。",
  Korean: "인공지능은 우리의 생활 방식을 바꾸고 있으며 많은 기업이 대규모 언어 모델을 사용하기 시작했습니다.",
  Russian:
    "Искусственный интеллект меняет нашу жизнь, и многие компании начинают использовать большие языковые модели для работы с клиентами.",
  Arabic: "الذكاء الاصطناعي يغير طريقة حياتنا وتستخدم شركات كثيرة نماذج لغوية كبيرة",
  "Chinese in English": "Please translate 人工智能正在改变我们的生活方式 into English, and 许多企业 too.",
  code: "export function add(a: number, b: number): number {\n  const result = a + b;\n  if (result > 100) throw new RangeError(`too big: ${result}`);\n  return result;\n}\n",
  JSON: JSON.stringify(
    { id: "chatcmpl-123", choices: [{ index: 0, message: { role: "assistant", content: "Hello there" } }] },
    null,
    2,
  ),
};

test.each(Object.entries(TEXTS))("%s is estimated within a factor of 2", (_, text) => {
  const ratio = estimateTokens(text) / o200k.count(text);
  expect(ratio).toBeGreaterThan(0.5);
  expect(ratio).toBeLessThan(2);
});

test("a text in pieces is worth what it is as a whole, to the token", () => {
  for (const text of [TEXTS.English, TEXTS.Chinese]) {
    const tally = new TokenTally();
    for (const character of text) tally.add(character);
    expect(Math.abs(tally.tokens - estimateTokens(text))).toBeLessThan(text.length * 0.05 + 1);
  }
  expect(new TokenTally().tokens).toBe(0);
  expect(estimateTokens("")).toBe(0);
});

const bounds = (estimate: number) => ({ estimate, longest: 32_768 });

const message = (content: string | object[]) => ({ model: "m", messages: [{ role: "user", content }] });

const estimate = (request: object, outputBounds: OutputBounds) =>
  estimateRequest(requestOf(request), outputBounds);

test("pictures, sounds and files cost a fixed sum, whatever their bytes", () => {
  const bytes = "A".repeat(1_000_000);
  const url = `data:image/png;base64,${bytes}`;
  const input = (part: { type: string; [field: string]: string | object }) =>
    estimate(message([part]), bounds(0)).input;
  const overhead = estimate(message(""), bounds(0)).input;
  expect(input({ type: "image_url", image_url: { url } }) - overhead).toBe(765);
  expect(input({ type: "image_url", image_url: { url, detail: "low" } }) - overhead).toBe(85);
  expect(input({ type: "image_url", image_url: { url, detail: "high" } }) - overhead).toBe(765);
  expect(input({ type: "input_audio", input_audio: { data: bytes, format: "wav" } }) - overhead).toBe(300);
  expect(input({ type: "file", file: { file_data: bytes } }) - overhead).toBe(2_000);
  expect(input({ type: "something-new", data: bytes }) - overhead).toBe(0);
  expect(input({ type: "text", text: "four".repeat(100) }) - overhead).toBe(100);
});

test("tools and the calls of tools in the history count as their JSON", () => {
  const bare = estimate(message("hi"), bounds(0)).input;
  const tools = [{ type: "function", function: { name: "weather", description: "x".repeat(400) } }];
  expect(estimate({ ...message("hi"), tools }, bounds(0)).input).toBeGreaterThan(bare + 100);
  const called = { role: "assistant", content: null, tool_calls: [{ arguments: "y".repeat(400) }] };
  expect(estimate({ model: "m", messages: [called] }, bounds(0)).input).toBeGreaterThan(100);
});

test("the output is what is asked for, or else the estimate, for each of n answers", () => {
  const output = (fields: object) => {
    const { output: tokens, isOutputBounded } = estimate({ ...message("hi"), ...fields }, bounds(500));
    return [tokens, isOutputBounded];
  };
  expect(output({})).toEqual([500, false]);
  expect(output({ n: 3 })).toEqual([1_500, false]);
  expect(output({ max_tokens: 20 })).toEqual([20, true]);
  expect(output({ max_tokens: 20, max_completion_tokens: 30, n: 2 })).toEqual([60, true]);
  expect(output({ max_tokens: null, n: null })).toEqual([500, false]);
  expect(estimate({ model: "m", prompt: "four".repeat(10) }, bounds(500))).toEqual({
    input: 10,
    output: 500,
    isOutputBounded: false,
  });
});

test.each([
  [["four", "four"], 2, 1_000],
  [[1, 2, 3], 3, 500],
  [[[1, 2], [3]], 3, 1_000],
])("each prompt of a list is counted: %j", (prompt, input, output) => {
  expect(estimate({ model: "m", prompt }, bounds(500))).toEqual({ input, output, isOutputBounded: false });
});

test("embeddings have no output, and tokens that are given as numbers are counted", () => {
  const none = { output: 0, isOutputBounded: false };
  expect(estimate({ model: "m", input: ["four", "fourfour"] }, bounds(500))).toEqual({
    input: 3,
    ...none,
  });
  expect(estimate({ model: "m", input: [[1, 2, 3], [4]] }, bounds(500))).toEqual({
    input: 4,
    ...none,
  });
});

test("what is known to be ASCII is estimated without a look, and the same", () => {
  const messages = [
    { role: "user", content: "x".repeat(1_001) },
    { role: "user", content: [{ type: "text", text: "y".repeat(333) }] },
  ];
  const [known, unknown] = [{ model: "m", messages } as ChatRequest, { model: "m", messages } as ChatRequest];
  retainSource(known, { bytes: new Uint8Array(), members: [], ascii: true });
  expect(estimate(known, bounds(0))).toEqual(estimate(unknown, bounds(0)));
});
