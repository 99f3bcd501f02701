import { afterAll, beforeAll, expect, test } from "bun:test";
import { CHAT_REQUEST_FIELD_NAMES, chatRequestWith } from "../../test/support/chat-request-fields.ts";
import {
  jsonAnswer,
  openaiChunks,
  openaiCompletion,
  sseAnswer,
  startFaultUpstream,
} from "../../test/support/fault-upstream.ts";
import type { FaultUpstream } from "../../test/support/fault-upstream.ts";
import { startGateway } from "../../test/support/gateway.ts";
import type { RunningGateway } from "../../test/support/gateway.ts";

let server: FaultUpstream;
let gateway: RunningGateway;
beforeAll(async () => {
  server = await startFaultUpstream();
  server.respond = (exchange) => {
    const { stream, n = 1 } = exchange.json() as { stream?: boolean; n?: number };
    const { choices, ...rest } = openaiCompletion("Hello") as { choices: object[] };
    const several = Array.from({ length: n }, (_, index) => ({ ...choices[0], index }));
    exchange.send(
      stream ? sseAnswer(openaiChunks("Hello")) : jsonAnswer({ ...rest, choices: several } as never),
    );
  };
  gateway = await startGateway(
    `upstreams: { it: { plugin: openai, options: { base_url: "${server.url}/v1", models: [test-model] } } }\n`,
  );
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test.each([...CHAT_REQUEST_FIELD_NAMES])("%s reaches the server as the client wrote it", async (field) => {
  const request = chatRequestWith(field);
  const response = await gateway.chat(request);
  expect(response.status).toBe(200);
  expect(response.headers.get("x-modelyard-ignored")).toBeNull();
  await response.text();
  const sent = server.requests.at(-1)?.json() as Record<string, unknown>;
  if (request["stream"] === true) {
    expect(sent).toEqual({
      ...request,
      stream_options: { ...(request["stream_options"] as object | undefined), include_usage: true },
    });
  } else expect(sent).toEqual(request);
});
