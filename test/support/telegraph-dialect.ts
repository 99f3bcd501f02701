import type { CountedUsage } from "../../src/answer/answer-event.ts";
import { readAll } from "../../src/answer/read-all.ts";
import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { Dialect } from "../../src/dialects/dialect.ts";
import { explain } from "../../src/dialects/explain.ts";
import { ConversationRequest } from "../../src/dialects/model-request.ts";
import { jsonAnswer } from "../../src/dialects/operation-document.ts";
import type { GatewayError } from "../../src/errors/gateway-error.ts";

const schema = Type.Object({
  to: Type.String({ description: "The model" }),
  say: Type.String({ description: "What it is told" }),
  live: Type.Optional(Type.Boolean({ description: "Words as they come" })),
});

const compiled = TypeCompiler.Compile(schema);
const line = (fields: object) => `data: ${JSON.stringify(fields)}\n\n`;

function trouble({ code, message }: GatewayError): { trouble: string; because: string } {
  return { trouble: code, because: message };
}

/** A client API that nobody speaks: its own address, key, errors and frames. */
export const telegraph: Dialect = {
  name: "Telegraph",
  keyHeaders: ["x-telegraph-key"],
  forwardedHeaders: ["x-telegraph-line"],
  requestIdHeader: "x-telegraph-request",
  exposedHeaders: "x-telegraph-request, x-telegrams-left",
  errorSchema: { type: "object", properties: { trouble: { type: "string" } } },
  error: (error, request) => ({
    status: error.status === 503 ? 529 : error.status,
    body: { ...trouble(error), request },
    headers: { "x-telegraph-request": request },
  }),
  addLimitHeaders({ requests }, headers) {
    if (requests) headers["x-telegrams-left"] = String(requests.remaining);
  },
  endpoints: [
    {
      kind: "generate",
      path: "/v1/telegrams",
      document: {
        summary: "Send a telegram",
        body: { schema, example: { to: "gpt-4o-mini", say: "Hello!" } },
        answer: jsonAnswer("The answer", { type: "object", properties: { said: { type: "string" } } }),
      },
      comment: ": stop\n\n",
      parse(body) {
        if (!compiled.Check(body)) throw explain(compiled, body);
        const { to: model, say: content, live: stream = false } = body;
        const request = { model, messages: [{ role: "user", content }], stream };
        return new ConversationRequest(request, { stream, includeUsage: true });
      },
      writer: () => ({
        write: (event) => (event.type === "text" ? line({ word: event.text }) : ""),
        end: () => line({ stop: true }),
        failed: (error) => line(trouble(error)),
      }),
      async collect(answer) {
        let said = "";
        let usage: CountedUsage | undefined;
        await readAll(answer, (event) => {
          if (event.type === "text") said += event.text;
          if (event.type === "usage") usage = event;
        });
        return { body: { said }, usage };
      },
    },
  ],
};
