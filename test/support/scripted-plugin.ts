import type {
  Call,
  Capabilities,
  ChatEvent,
  ChatRequest,
  JsonObject,
  Model,
  UpstreamErrorCode,
} from "modelyard/plugin";
import { definePlugin, Type, UpstreamError } from "modelyard/plugin";

/** What an upstream does at one point of its answer: says an event, or one of the things below. */
export type Step =
  | ChatEvent
  /** Fails in the contract's way; with `times` only in so many calls, after which the step is skipped. */
  | ({
      readonly fail: UpstreamErrorCode;
      readonly message: string;
      readonly times?: number;
    } & Partial<Details>)
  /** Refuses in the contract's way before anything was asked of an upstream. */
  | ({ readonly refuse: UpstreamErrorCode; readonly message: string } & Partial<Details>)
  /** Throws what no plugin should throw. */
  | { readonly bug: string }
  /** Waits until this address answers. */
  | { readonly gate: string }
  /** Waits for ever, or until nobody listens any more. */
  | { readonly hang: true }
  /** Waits for its turn, as long as anybody listens. */
  | { readonly queue: true }
  /** Says the request that it got, as JSON. */
  | { readonly mirror: true }
  /** Says the client's headers that it got, as JSON. */
  | { readonly headers: true }
  /** As the first of an answer's steps: these are the whole answer, but only the first time. */
  | { readonly first: readonly Step[] }
  /** Names a parameter that it doesn't honour. */
  | { readonly ignores: string };

interface Details {
  readonly param: string;
  readonly retryAfterMs: number;
  readonly otherCredential: boolean;
}

/** What the upstream's `status()` tells. */
export interface ScriptedStatus {
  readonly begun: number;
  /** Answers under way. */
  readonly running: number;
}

/** A stranger's plugin: it answers each model with the steps that its options say. */
export default definePlugin({
  apiVersion: 1,
  name: "scripted",
  options: Type.Object(
    {
      answers: Type.Record(Type.String(), Type.Array(Type.Unknown()), { description: "the steps, by model" }),
      extensions: Type.Array(Type.String(), {
        description: "what it says that it knows beyond chat completions",
        default: [],
      }),
      capabilities: Type.Record(Type.String(), Type.Unknown(), {
        description: "what it says that a model can do, by model",
        default: {},
      }),
    },
    { additionalProperties: false },
  ),
  open({ answers, extensions, capabilities }, host) {
    const scripts = answers as Readonly<Record<string, readonly Step[]>>;
    const failures = new Map<Step, number>();
    const past = new Set<Step>();
    let begun = 0;
    let running = 0;

    function* fail(step: Extract<Step, { fail: unknown }>): Generator<never> {
      const before = failures.get(step) ?? 0;
      if (step.times !== undefined && before >= step.times) return;
      failures.set(step, before + 1);
      throw new UpstreamError(step.fail, step.message, step);
    }

    async function* wait(call: Call): AsyncGenerator<never> {
      using _turn = call.queued();
      await aborted(call.signal);
    }

    function modelOf(id: string): Model {
      const known = capabilities[id] as Capabilities | undefined;
      return { id, created: 1_700_000_000, ownedBy: "script", ...(known && { capabilities: known }) };
    }

    /** The steps to take this time. */
    function stepsOf(script: readonly Step[]): readonly Step[] {
      const [step, ...others] = script;
      if (!step || !("first" in step)) return script;
      if (past.has(step)) return others;
      past.add(step);
      return step.first;
    }

    async function* perform(step: Step, request: ChatRequest, call: Call): AsyncGenerator<ChatEvent> {
      if ("type" in step) yield step;
      else if ("fail" in step) {
        // As whoever asks an upstream does.
        call.signal.throwIfAborted();
        yield* fail(step);
      } else if ("refuse" in step) throw new UpstreamError(step.refuse, step.message, step);
      else if ("bug" in step) throw new TypeError(step.bug);
      else if ("gate" in step) await host.fetch(step.gate, { signal: call.signal });
      else if ("hang" in step) await aborted(call.signal);
      else if ("queue" in step) yield* wait(call);
      else if ("mirror" in step) yield { type: "text", text: JSON.stringify(request) };
      else if ("headers" in step) yield { type: "text", text: JSON.stringify(call.headers) };
      else if ("ignores" in step) call.ignored(step.ignores, "the script says so");
    }

    return {
      extensions,
      models: async () => Object.keys(scripts).map(modelOf),
      async *chat(request, call) {
        begun++;
        running++;
        try {
          for (const step of stepsOf(scripts[request.model] ?? [])) yield* perform(step, request, call);
        } finally {
          running--;
        }
      },
      status: (): ScriptedStatus & JsonObject => ({ begun, running }),
    };
  },
});

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
