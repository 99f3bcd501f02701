import type { EmbedInput, Message, Prompt } from "../contract/index.ts";
import type { RequestMembers } from "../json/request-members.ts";
import { promptsOf } from "../contract/index.ts";
import { estimateRequest, isTokens } from "./token-estimate.ts";
import type { TokenCounter } from "./token-counter.ts";

// OpenAI's format adds these to each message and before the answer.
const TOKENS_PER_MESSAGE = 3;

/** Resolves with a request's prompt tokens, counted by a tokenizer. */
export async function promptTokens(request: RequestMembers, counter: TokenCounter): Promise<number> {
  const { inputs } = request;
  const messages = request.member("messages");
  const text = counter.text();
  let others = 0;
  if (inputs) others = addInputs(inputs, text);
  else if (Array.isArray(messages)) others = addMessages(messages as readonly Message[], text);
  else others = addInputs(promptsOf(request.member("prompt") as Prompt), text);
  const tools = request.member("tools");
  if (Array.isArray(tools)) for (const tool of tools) text.add(JSON.stringify(tool));
  return others + (await text.tokens());
}

/** Returns a rough estimate of a request's prompt tokens. */
export function roughPromptTokens(request: RequestMembers): number {
  return estimateRequest(request, { estimate: 0, longest: 0 }).input;
}

type Text = ReturnType<TokenCounter["text"]>;

function addMessages(messages: readonly Message[], text: Text): number {
  for (const { role, content } of messages) {
    text.add(role);
    if (typeof content === "string") text.add(content);
    else for (const part of content ?? []) if (typeof part["text"] === "string") text.add(part["text"]);
  }
  return TOKENS_PER_MESSAGE * (messages.length + 1);
}

/** Adds the texts of inputs and returns the number of inputs' token numbers. */
function addInputs(inputs: readonly EmbedInput[], text: Text): number {
  let numbers = 0;
  for (const input of inputs) {
    if (isTokens(input)) numbers += input.length;
    else if (typeof input === "string") text.add(input);
    else if (typeof input["text"] === "string") text.add(input["text"]);
  }
  return numbers;
}
