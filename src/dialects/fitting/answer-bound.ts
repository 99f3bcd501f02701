import type { UpstreamError } from "../../contract/index.ts";

/** The longest answer that a model can give to a request, as its refusal of a longer one says. */
export interface AnswerBound {
  readonly tokens: number;
  /** Whether it holds for every request, and not only for a conversation of this length. */
  readonly isLasting: boolean;
}

/** As OpenAI's servers, vLLM and llama.cpp say how much of the context a conversation leaves. */
const CONTEXT = /maximum context length (?:is|of) (\d+)/i;
const PROMPT = /(\d+) (?:input tokens|(?:tokens )?(?:in|from) the (?:messages|prompt|input))/i;

/** As models say the longest answer that they give: "supports at most 16384 completion tokens", "64000 > 8192, which is …". */
const LONGEST = [
  /at most (\d+) (?:completion|output) tokens/i,
  /> (\d+), which is the maximum allowed number of output tokens/i,
  /less than or equal to `?(\d+)/i,
];

/** Returns the bound that a refusal names for an answer; undefined if it names none below what was asked for. */
export function boundIn({ message }: UpstreamError, asked: number): AnswerBound | undefined {
  const context = numberIn(message, CONTEXT);
  const prompt = numberIn(message, PROMPT);
  if (context !== undefined) {
    const left = prompt === undefined ? 0 : context - prompt;
    return left > 0 && left < asked ? { tokens: left, isLasting: false } : undefined;
  }
  if (!/max_(?:completion_)?tokens|output tokens/.test(message)) return undefined;
  const tokens = LONGEST.map((form) => numberIn(message, form)).find((found) => found !== undefined);
  return tokens !== undefined && tokens > 0 && tokens < asked ? { tokens, isLasting: true } : undefined;
}

function numberIn(message: string, form: RegExp): number | undefined {
  const [, digits] = form.exec(message) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
