import type { Message } from "../contract/index.ts";
import type { RequestMembers } from "../json/request-members.ts";
import { tokensOfMedia } from "./token-estimate.ts";
import type { TokenCounter } from "./token-counter.ts";

/** What is added to a count: another model's tokenizer may need more, and a client that is told too little goes on too long. */
const MARGIN = 1.15;
const TOKENS_PER_MESSAGE = 4;

/** Returns the tokens of a whole conversation with its tools, by the gateway's own tokenizer and rather too many. */
export async function countPrompt(
  request: Pick<RequestMembers, "member">,
  counter: TokenCounter,
): Promise<number> {
  const messages = request.member("messages") as readonly Message[];
  const text = counter.text();
  const add = (value: unknown) => {
    if (value !== undefined && value !== null) text.add(JSON.stringify(value));
  };
  let others = 0;
  for (const { role: _, content, ...members } of messages) {
    others += TOKENS_PER_MESSAGE;
    for (const value of Object.values(members)) add(value);
    if (typeof content === "string") text.add(content);
    for (const part of Array.isArray(content) ? content : []) {
      const media = tokensOfMedia(part);
      if (media !== undefined) others += media;
      else if (typeof part["text"] === "string") text.add(part["text"]);
      else add(part);
    }
  }
  for (const name of ["tools", "response_format"]) add(request.member(name));
  return Math.ceil(MARGIN * (others + (await text.tokens())));
}
