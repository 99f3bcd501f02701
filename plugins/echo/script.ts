import { UpstreamError } from "modelyard/plugin";
import type { Call, ChatEvent, ChatRequest, FinishReason, JsonObject, Usage } from "modelyard/plugin";
import { countWords, lastUserText, wordCount } from "./conversation.ts";
import type { Rule, Step } from "./options.ts";
import { parametersOf } from "./parameters.ts";
import { systemClock } from "modelyard/kit";

/** Returns the first rule of a script that matches a request. */
export function ruleFor(script: readonly Rule[], request: ChatRequest): Rule | undefined {
  const text = lastUserText(request) ?? "";
  return script.find(
    ({ match, model }) =>
      (model ?? request.model) === request.model && (match === "*" || text.includes(match)),
  );
}

/** Yields the events of a rule's steps, each for every choice, and a `finish` if the steps have none. */
export async function* play(rule: Rule, request: ChatRequest, call: Call): AsyncGenerator<ChatEvent, void> {
  const { choices } = parametersOf(request);
  const answer = new ScriptedAnswer(choices);
  for (const step of rule.steps) {
    call.signal.throwIfAborted();
    if (step.cut) return;
    if (step.hang) await pause(Infinity, call.signal);
    if (step.delay !== undefined) await pause(step.delay, call.signal);
    if (step.error) throw errorOf(step.error);
    yield* answer.events(step);
  }
  yield* answer.end(countWords(request.messages));
}

function errorOf({ code, message, retry_after }: NonNullable<Step["error"]>): UpstreamError {
  return new UpstreamError(code, message, retry_after === undefined ? {} : { retryAfterMs: retry_after });
}

class ScriptedAnswer {
  readonly #choices: number;
  #calls = 0;
  #words = 0;
  #reasoning = 0;
  #isFinished = false;
  #isCounted = false;

  constructor(choices: number) {
    this.#choices = choices;
  }

  *events(step: Step): Generator<ChatEvent, void> {
    if (step.usage) {
      this.#isCounted = true;
      yield { type: "usage", usage: usageOf(step.usage) };
    }
    if (step.extra?.at === "chunk")
      yield { type: "extra", at: "chunk", fields: step.extra.fields as JsonObject };
    for (let choice = 0; choice < this.#choices; choice++) yield* this.#spoken(step, choice);
    if (step.tool_call) this.#calls++;
    this.#isFinished ||= step.finish !== undefined;
  }

  *end(input: number): Generator<ChatEvent, void> {
    const reason: FinishReason = this.#calls > 0 ? "tool_calls" : "stop";
    if (!this.#isFinished) yield* this.events({ finish: reason });
    if (this.#isCounted) return;
    const reasoning = this.#reasoning > 0 ? { reasoning: this.#reasoning } : {};
    yield { type: "usage", usage: { input, output: this.#words, ...reasoning } };
  }

  *#spoken(step: Step, choice: number): Generator<ChatEvent, void> {
    if (step.text !== undefined) {
      this.#words += wordCount(step.text);
      yield { type: "text", text: step.text, choice };
    }
    if (step.reasoning !== undefined) {
      this.#words += wordCount(step.reasoning);
      this.#reasoning += wordCount(step.reasoning);
      yield { type: "reasoning", text: step.reasoning, choice };
    }
    if (step.extra && step.extra.at !== "chunk") {
      yield { type: "extra", at: step.extra.at, fields: step.extra.fields as JsonObject, choice };
    }
    if (step.tool_call) yield* this.#toolCall(step.tool_call, choice);
    if (step.finish) yield { type: "finish", reason: step.finish, choice };
  }

  /** Yields a tool call as OpenAI streams it: first the name, then the arguments. */
  *#toolCall(call: NonNullable<Step["tool_call"]>, choice: number): Generator<ChatEvent, void> {
    const json = typeof call.arguments === "string" ? call.arguments : JSON.stringify(call.arguments);
    this.#words += wordCount(json);
    const id = call.id === undefined ? {} : { id: call.id };
    yield { type: "tool-call", index: this.#calls, ...id, name: call.name, arguments: "", choice };
    yield { type: "tool-call", index: this.#calls, arguments: json, choice };
  }
}

function usageOf(step: NonNullable<Step["usage"]>): Usage {
  const { cached_input: cachedInput, cache_write: cacheWrite, ...same } = step;
  return {
    ...same,
    ...(cachedInput === undefined ? {} : { cachedInput }),
    ...(cacheWrite === undefined ? {} : { cacheWrite }),
  };
}

/** Resolves after `ms`; never if that is infinite. Rejects with the signal's reason when it aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const cancel = ms === Infinity ? undefined : systemClock.after(ms, resolve);
  try {
    await promise;
  } finally {
    cancel?.();
    signal.removeEventListener("abort", abort);
  }
}
