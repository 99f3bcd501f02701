/**
 * A good plugin for a made-up upstream that speaks a client's API itself. Faults are seeded into its text, so its lines
 * are as the mutants name them.
 * @module
 */
import { post, readJson, sse } from "modelyard/kit";
import { definePlugin, Secret, Type, UpstreamError } from "modelyard/plugin";
import type {
  Call,
  CanonicalEvent,
  FinishReason,
  JsonObject,
  NativeEvent,
  NativeRequest,
} from "modelyard/plugin";

interface Said {
  readonly say?: string;
  readonly tokens?: { readonly in: number; readonly out: number };
  readonly done?: FinishReason;
  readonly oops?: string;
}

const options = Type.Object(
  {
    base_url: Type.String({ description: "Where it is, without a slash at the end." }),
    token: Secret({ description: "What it knows us by." }),
  },
  { additionalProperties: false },
);

export default definePlugin({
  apiVersion: 1,
  name: "spoken",
  options,
  open({ base_url, token }, host) {
    const headers = { authorization: `Bearer ${token}` };
    const ask = (call: Call, path: string, body: JsonObject) =>
      post(call, { fetch: host.fetch, url: base_url + path, headers, body });
    return {
      models: async () => [{ id: "spoken-1" }],
      async *chat(request, call) {
        const response = await ask(call, "/talk", { ...request });
        for await (const { events } of framesOf(response, request.stream === true, call)) yield* events;
      },
      native: {
        async *"anthropic-messages"(request: NativeRequest, call: Call) {
          const response = await ask(call, "/talk", request.json());
          yield* framesOf(response, request.stream, call);
        },
      },
      async countTokens(request, call) {
        const counted = (await readJson(await ask(call, "/count", request.json()), call.signal)) as {
          readonly tokens: number;
        };
        return counted.tokens;
      },
    };
  },
});

async function* framesOf(response: Response, isStream: boolean, call: Call): AsyncGenerator<NativeEvent> {
  if (!isStream) {
    const whole = (await readJson(response, call.signal)) as Said & JsonObject;
    return yield frame("document", JSON.stringify(whole), [...eventsOf(whole)]);
  }
  for await (const { event, data } of sse(response.body)) {
    const said = parsed(data);
    if (event !== "ping") yield frame(event, data, [...eventsOf(said)]);
    if (said.done) return;
  }
  throw new UpstreamError("truncated", "the answer broke off");
}

function frame(name: string, data: string, events: readonly CanonicalEvent[]): NativeEvent {
  return { type: "native", name, data, events };
}

function parsed(data: string): Said {
  try {
    return JSON.parse(data) as Said;
  } catch (error) {
    throw new UpstreamError("bad-response", "it said something that is no JSON", { cause: error });
  }
}

function* eventsOf({ say, tokens, done, oops }: Said): Generator<CanonicalEvent, void> {
  if (oops !== undefined) throw new UpstreamError("failed", oops);
  if (say) yield { type: "text", text: say };
  if (tokens) yield { type: "usage", usage: { input: tokens.in, output: tokens.out } };
  if (done) yield { type: "finish", reason: done };
}
