import { isObject } from "../contract/json.ts";
import type { RequestMembers } from "../json/request-members.ts";
import { promptsOf } from "../contract/index.ts";
import type { ContentPart, EmbedInput, Message, Prompt } from "../contract/index.ts";

/** The tokens that a request may need. */
export interface RequestEstimate {
  readonly input: number;
  /** Of all requested choices. */
  readonly output: number;
  /** True if the request itself bounds the output. */
  readonly isOutputBounded: boolean;
}

// Measured with the o200k tokenizer: about 4 characters a token in text of one byte a character, little fewer in
// scripts of two (Cyrillic, Greek, Arabic), 1 to 2 in those of three (East Asia). Hence the square.
const TOKENS_PER_CHARACTER = 0.25;
const TOKENS_PER_EXTRA_BYTE_SQUARED = 0.1;
/** Added by OpenAI's format to each message and before the answer. */
const TOKENS_PER_MESSAGE = 3;
// Of a picture of 1024 x 1024 pixels, by https://platform.openai.com/docs/guides/images-vision#calculating-costs
const LOW_DETAIL_IMAGE = 85;
const IMAGE = 765;
/** Estimates for parts that aren't text, whatever their size: half a minute of audio, a few pages. */
const TOKENS_OF_PARTS: Readonly<Record<string, number>> = {
  image_url: IMAGE,
  input_image: IMAGE,
  image: IMAGE,
  input_audio: 300,
  file: 2000,
  input_file: 2000,
  document: 2000,
};

/** Estimates a text's tokens, within a factor of 2 for usual texts. May be a fraction. */
export function estimateTokens(text: string): number {
  const { length } = text;
  if (length === 0) return 0;
  // The bytes per character in UTF-8 tell scripts apart.
  const extra = Buffer.byteLength(text) / length - 1;
  return length * (TOKENS_PER_CHARACTER + TOKENS_PER_EXTRA_BYTE_SQUARED * extra * extra);
}

/** Sums the estimated tokens of pieces of text. */
export class TokenTally {
  #tokens = 0;

  add(text: string): void {
    this.#tokens += estimateTokens(text);
  }

  /** The sum, in whole tokens. */
  get tokens(): number {
    return Math.ceil(this.#tokens);
  }
}

/** Bounds of an answer's length, in tokens. */
export interface OutputBounds {
  /** Reserved for an answer whose request doesn't bound it. */
  readonly estimate: number;
  /** The longest answer that any of the models can write. */
  readonly longest: number;
}

/** Estimates a request's tokens without reading its images, audio and files. Its numbers were validated by the dialects. */
export function estimateRequest(request: RequestMembers, bounds: OutputBounds): RequestEstimate {
  const { inputs } = request;
  if (inputs) return { input: Math.ceil(inputTokens(inputs)), output: 0, isOutputBounded: false };
  const messages = request.member("messages");
  const { output, isOutputBounded } = outputOf(request, bounds);
  if (Array.isArray(messages)) {
    const input = chatTokens(request, messages as readonly Message[]);
    return { input: Math.ceil(input), output, isOutputBounded };
  }
  const prompts = promptsOf(request.member("prompt") as Prompt);
  return { input: Math.ceil(inputTokens(prompts)), output: output * prompts.length, isOutputBounded };
}

function outputOf(
  request: RequestMembers,
  { estimate, longest }: OutputBounds,
): Omit<RequestEstimate, "input"> {
  const count = (name: string) => countIn(request.member(name));
  // Upstreams differ in which of the two they use.
  const asked = Math.max(count("max_completion_tokens"), count("max_tokens"));
  const choices = Math.max(1, count("n"), count("best_of"));
  const isOutputBounded = asked >= 0;
  return { output: Math.min(isOutputBounded ? asked : estimate, longest) * choices, isOutputBounded };
}

/** Returns -1 without a number. */
function countIn(value: unknown): number {
  return typeof value === "number" ? value : -1;
}

function chatTokens(request: RequestMembers, messages: readonly Message[]): number {
  const ascii = request.isAscii;
  let tokens = TOKENS_PER_MESSAGE;
  for (const { content, tool_calls } of messages) {
    tokens += TOKENS_PER_MESSAGE + 1 + jsonTokens(tool_calls);
    if (typeof content === "string") tokens += textTokens(content, ascii);
    else for (const part of content ?? []) tokens += partTokens(part, ascii);
  }
  for (const name of OTHER_PROMPT_MEMBERS) tokens += jsonTokens(request.member(name));
  return tokens;
}

/** Other members that are part of the prompt. */
const OTHER_PROMPT_MEMBERS = ["tools", "functions", "response_format"] as const;

/** ASCII text isn't scanned, which dominates the time in a long conversation. */
function textTokens(text: string, ascii: boolean): number {
  return ascii ? text.length * TOKENS_PER_CHARACTER : estimateTokens(text);
}

function partTokens(part: ContentPart, ascii: boolean): number {
  const tokens = tokensOfMedia(part);
  if (tokens !== undefined) return tokens;
  if (typeof part["text"] === "string") return textTokens(part["text"], ascii);
  return WITH_TEXTS.has(part.type) ? jsonTokens(part) : 0;
}

/** Parts that hold texts within. */
const WITH_TEXTS = new Set(["document", "search_result"]);

/** Returns the tokens of a part that isn't text; undefined for one that is. */
export function tokensOfMedia(part: ContentPart): number | undefined {
  const isText = part.type === "document" && isTextSource(part["source"]);
  const tokens = isText ? undefined : TOKENS_OF_PARTS[part.type];
  return tokens === IMAGE && isLowDetail(part) ? LOW_DETAIL_IMAGE : tokens;
}

function isTextSource(source: ContentPart[string]): boolean {
  const type = isObject(source) ? source["type"] : undefined;
  return type === "text" || type === "content";
}

function isLowDetail({ detail, image_url }: ContentPart): boolean {
  const inner =
    typeof image_url === "object" && image_url && "detail" in image_url ? image_url["detail"] : detail;
  return inner === "low";
}

function jsonTokens(value: unknown): number {
  return value === undefined || value === null ? 0 : estimateTokens(JSON.stringify(value));
}

/** The tokens of texts and token numbers, roughly. May be a fraction. */
export function inputTokens(inputs: readonly EmbedInput[]): number {
  let tokens = 0;
  for (const each of inputs) {
    if (isTokens(each)) tokens += each.length;
    else {
      const text = typeof each === "string" ? each : each["text"];
      tokens += typeof text === "string" ? estimateTokens(text) : IMAGE;
    }
  }
  return tokens;
}

/** Returns whether an input is a list of token numbers. */
export function isTokens(input: EmbedInput): input is readonly number[] {
  return Array.isArray(input);
}

/** Lowers an estimate whose output isn't bounded by the request to a limit of tokens. */
export function clampEstimate(limit: number | undefined, needed: RequestEstimate): RequestEstimate {
  const { input, output, isOutputBounded } = needed;
  if (limit === undefined || isOutputBounded || input + output <= limit) return needed;
  return { ...needed, output: Math.max(0, limit - input) };
}
