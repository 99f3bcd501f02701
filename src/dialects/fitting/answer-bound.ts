import type { UpstreamError } from "../../contract/index.ts";

/** The longest answer that a model can give to a request, as its refusal of a longer one says. */
export interface AnswerBound {
  readonly tokens: number;
  /** Whether it holds for every request, and not only for a conversation of this length. */
  readonly isLasting: boolean;
}

/** As OpenAI's servers, vLLM, llama.cpp, OpenRouter and Together say how much of the context a conversation leaves. */
const CONTEXT = [/maximum context length (?:is|of) (\d+)/i, /`max_new_tokens` must be <= (\d+)/];
const PROMPT = [
  /(\d+) (?:input tokens|(?:tokens )?(?:in|from) the (?:messages|prompt|input))/i,
  /(\d+) `inputs` tokens/,
];
/** The conversation and its answer. */
const WHOLE = [/you requested (?:about )?(\d+) tokens/i];

const OF_ANSWER = /max_(?:completion_)?tokens|maxOutputTokens|output tokens/;
/** The longest answer that a model gives, as servers say it. */
const LONGEST = [
  // OpenAI
  /at most (\d+) (?:completion|output) tokens/i,
  // Anthropic
  /> (\d+), which is the maximum allowed number of output tokens/i,
  // Groq
  /less than or equal to `?(\d+)/i,
  // DeepSeek, DashScope
  /range of max_tokens (?:is|should be) \[\d+, ?(\d+)\]/i,
];
/** As Gemini names the first length that is too long. */
const TOO_LONG = [/range is from \d+ \(inclusive\) to (\d+) \(exclusive\)/];

/** Returns the bound that a refusal names for an answer; undefined if it names none below what was asked for. */
export function boundIn({ message }: UpstreamError, asked: number): AnswerBound | undefined {
  const context = numberIn(message, CONTEXT);
  if (context !== undefined) {
    const prompt = numberIn(message, PROMPT) ?? (numberIn(message, WHOLE) ?? 0) - asked;
    const left = prompt > 0 ? context - prompt : 0;
    return left > 0 && left < asked ? { tokens: left, isLasting: false } : undefined;
  }
  if (!OF_ANSWER.test(message)) return undefined;
  const tokens = numberIn(message, LONGEST) ?? (numberIn(message, TOO_LONG) ?? 0) - 1;
  return tokens > 0 && tokens < asked ? { tokens, isLasting: true } : undefined;
}

function numberIn(message: string, forms: readonly RegExp[]): number | undefined {
  const digits = forms.map((form) => form.exec(message)?.[1]).find((found) => found !== undefined);
  return digits === undefined ? undefined : Number(digits);
}
