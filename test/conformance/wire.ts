/**
 * A good plugin for a made-up upstream that speaks HTTP and event streams. Faults are seeded into its text, so its
 * lines are as the mutants name them.
 * @module
 */
import { get, post, readJson, sse } from "modelyard/kit";
import { definePlugin, Secret, Type, UpstreamError } from "modelyard/plugin";
import type { ChatEvent, FinishReason } from "modelyard/plugin";

interface Said {
  readonly say?: string;
  readonly think?: string;
  readonly calls?: readonly {
    readonly n: number;
    readonly id: string;
    readonly name: string;
    readonly with: string;
  }[];
  readonly tokens?: { readonly in: number; readonly out: number };
  readonly done?: FinishReason;
  /** The end of a stream; its reason may come before it. */
  readonly over?: true;
  readonly oops?: string;
  /** The model can't go on. */
  readonly lost?: boolean;
}

type Page = {
  readonly models: readonly string[];
  readonly next?: string;
};

const options = Type.Object(
  {
    base_url: Type.String({ description: "Where it is, without a slash at the end." }),
    token: Secret({ description: "What it knows us by." }),
    greeting: Type.String({ default: "hello", description: "How it is greeted." }),
  },
  { additionalProperties: false },
);

export default definePlugin({
  apiVersion: 1,
  name: "wire",
  options,
  open({ base_url, token, greeting }, host) {
    const headers = { authorization: `Bearer ${token}`, "x-greeting": greeting };
    const to = (path: string) => ({ fetch: host.fetch, url: base_url + path, headers });
    let answers = 0;
    return {
      async models(signal) {
        const models: string[] = [];
        for (let path: string | undefined = "/models"; path !== undefined;) {
          const page = (await readJson(await get(to(path), signal), signal)) as Page;
          models.push(...page.models);
          path = page.next && `/models?after=${page.next}`;
        }
        return models.map((id) => ({ id, capabilities: { tools: true, context: 8_000 } }));
      },
      async *chat(request, call) {
        const body = { ...request, greeting };
        const response = await post(call, { ...to("/chat"), body });
        host.log.debug("an answer begins", { model: request.model });
        answers += 1;
        if (request.stream !== true) {
          yield* eventsOf((await readJson(response, call.signal)) as Said);
          return;
        }
        for await (const { data } of sse(response.body)) {
          const said = parsed(data);
          yield* eventsOf(said);
          if (said.over) return;
        }
        throw new UpstreamError("truncated", "the answer broke off");
      },
      status: () => ({ answers }),
    };
  },
});

function parsed(data: string): Said {
  try {
    return JSON.parse(data) as Said;
  } catch (error) {
    throw new UpstreamError("bad-response", "it said something that is no JSON", { cause: error });
  }
}

function* eventsOf({ say, think, calls, tokens, done, oops, lost }: Said): Generator<ChatEvent, void> {
  if (lost) throw new UpstreamError("model-failed", "the model lost its thread");
  if (oops !== undefined) throw new UpstreamError("failed", oops);
  if (think) yield { type: "reasoning", text: think };
  if (say) yield { type: "text", text: say };
  for (const { n, id, name, with: json } of calls ?? []) {
    yield { type: "tool-call", index: n, id, name, arguments: json };
  }
  if (tokens) yield { type: "usage", usage: { input: tokens.in, output: tokens.out } };
  if (done) yield { type: "finish", reason: done };
}
