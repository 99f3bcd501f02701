import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { CountEndpoint } from "../dialect.ts";
import { explain } from "../explain.ts";
import { jsonAnswer } from "../operation-document.ts";
import { MessagesRequest } from "./request/request.ts";
import { CountRequestSchema } from "./request/schema.ts";

const compiled = TypeCompiler.Compile(CountRequestSchema);

/** A Messages request whose length is asked for. */
class CountRequest extends MessagesRequest {
  override get usesTokens(): boolean {
    return false;
  }
}

/** How many tokens a Messages request would take. */
export const countTokens: CountEndpoint = {
  kind: "count",
  path: "/v1/messages/count_tokens",
  document: {
    summary: "Count the tokens of a conversation, as Anthropic's API does",
    description:
      "Counted by the upstream where it can, else estimated, rather too high; `x-modelyard-usage` says which. Uses none of a key's tokens or budget.",
    body: {
      schema: CountRequestSchema,
      example: { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hello!" }] },
    },
    answer: jsonAnswer("The count", { type: "object", properties: { input_tokens: { type: "integer" } } }),
  },
  parse(body) {
    if (!compiled.Check(body)) throw explain(compiled, body);
    return new CountRequest(body);
  },
  write: (tokens) => ({ input_tokens: tokens }),
};
