import type { ChatEvent, ChatStream, JsonObject, Model, Usage } from "modelyard/plugin";
import { definePlugin, Secret, Type, UpstreamError } from "modelyard/plugin";

const HELLO: ChatEvent = { type: "text", text: "Hello" };
const STOP: ChatEvent = { type: "finish", reason: "stop" };
const never = (): Promise<never> => new Promise(() => undefined);

/** What no plugin should do, by the name of the model that is asked for it. */
function habits(token: string): Readonly<Record<string, () => unknown>> {
  return {
    "throws-at-once": () => {
      throw new Error("internals");
    },
    "throws-a-string": () => Promise.reject("internals" as unknown as Error),
    "throws-nothing": () => Promise.reject(undefined as unknown as Error),
    "throws-an-unknown-code": () => {
      throw new UpstreamError("internals" as "failed", "internals");
    },
    "throws-before": () => throwing(),
    "throws-after": () => throwing(HELLO),
    "throws-in-finally": () => throwingInFinally(),
    "gives-nothing": () => undefined,
    "gives-no-stream": () => ({}),
    "has-an-empty-next": () => iterated(() => Promise.resolve(undefined)),
    "has-a-throwing-next": () =>
      iterated(() => {
        throw new Error("internals");
      }),
    "never-opens": never,
    "never-begins": () => iterated(never),
    "never-goes-on": () => gives([HELLO], never),
    "never-ends": () => gives([HELLO, STOP], never),
    "gives-no-event": () => gives([undefined as unknown as ChatEvent]),
    "gives-an-unknown-event": () => gives([{ type: "internals" } as unknown as ChatEvent, STOP]),
    "gives-an-unknown-event-later": () => gives([HELLO, { type: "internals" } as unknown as ChatEvent, STOP]),
    "gives-a-number-as-text": () => gives([HELLO, { type: "text", text: 7 } as unknown as ChatEvent, STOP]),
    "gives-what-is-no-json": () => gives([HELLO, { type: "extra", at: "delta", fields: bigint() }, STOP]),
    "counts-nonsense": () => gives([HELLO, STOP, { type: "usage", usage: nonsense() }]),
    "goes-on-after-its-end": () => gives([HELLO, STOP, HELLO, { type: "finish", reason: "length" }, HELLO]),
    "says-what-it-should-not": () => {
      throw new UpstreamError("failed", `refused the token ${token}`);
    },
    "throws-what-it-should-not": () => {
      throw new Error(`refused the token ${token}`);
    },
  };
}

/** A plugin with bad habits. */
export default definePlugin({
  apiVersion: 1,
  name: "odd",
  options: Type.Object(
    {
      token: Secret({ sentAs: "text", default: "none-at-all" }),
      lists: Type.Optional(Type.Unknown({ description: "what models() gives" })),
    },
    { additionalProperties: false },
  ),
  open({ token, lists }) {
    const all = habits(token);
    return {
      models: async () => (lists as readonly Model[]) ?? Object.keys(all).map((id) => ({ id })),
      chat: ({ model }, call) => {
        call.ignored("naïve\r\nname, really", "it can't stand in a header");
        call.ignored(7 as unknown as string, "it is no name");
        return all[model]?.() as ChatStream;
      },
    };
  },
});

async function* gives(events: readonly ChatEvent[], after?: () => Promise<never>): AsyncGenerator<ChatEvent> {
  yield* events;
  await after?.();
}

async function* throwing(...events: readonly ChatEvent[]): AsyncGenerator<ChatEvent> {
  yield* events;
  throw new Error("internals");
}

async function* throwingInFinally(): AsyncGenerator<ChatEvent> {
  try {
    yield HELLO;
    yield STOP;
  } finally {
    // oxlint-disable-next-line no-unsafe-finally -- it is what is tried here
    throw new Error("internals");
  }
}

/** An iterator that is no generator. */
function iterated(next: () => unknown): unknown {
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

/** What comes of counts that an upstream has left out, or sends as texts. */
function nonsense(): Usage {
  return {
    input: Number(undefined),
    cachedInput: -1e9,
    output: "7" as unknown as number,
    reasoning: Infinity,
  };
}

function bigint(): JsonObject {
  return { size: 1n as unknown as number };
}
