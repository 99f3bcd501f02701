import type { CanonicalEvent, ExtraEvent, FinishEvent, UsageEvent } from "../contract/index.ts";
import { GrowingText } from "../runtime/growing-text.ts";
import { sanitizeUsage } from "./sanitize-usage.ts";
import { CallIds, expectJson, ToolCalls } from "./tool-calls.ts";

interface Choice {
  /** The finish, held until the end of the whole answer. */
  finish: FinishEvent | undefined;
  /** True once the choice had an event other than its finish. */
  hasContent: boolean;
  /** True once an event followed a finish: then its finishes mark no end. */
  wentOn: boolean;
  /** True while there is more behind the last finish. */
  isOutrun: boolean;
  calls: ToolCalls | undefined;
  /** The arguments of OpenAI's old `function_call`, which comes in `extra` events. */
  functionCall: GrowingText | undefined;
}

/**
 * Makes one upstream's events such as every client can read, whatever the upstream's habits: tool calls are numbered
 * from 0 in the order in which they begin, each with its own id and with arguments that are JSON; a choice that called
 * tools ends with `tool_calls`; a usage has counts in it and nothing else.
 *
 * Each finish is held until the end of the answer, so that nothing is lost that comes behind it.
 */
export class EventNormalizer {
  /** Nearly always one: a list takes a fifth of the memory of a map. */
  readonly #choices: (Choice | undefined)[] = [];
  #ids: CallIds | undefined;
  #begun = 0;
  #finished = 0;

  /** The number of choices with a finish. */
  get finished(): number {
    return this.#finished;
  }

  /** True when every choice that has begun has had its finish, and at least one has. */
  get complete(): boolean {
    return this.#finished > 0 && this.#finished === this.#begun;
  }

  /**
   * True when the finishes can be taken for ends though the upstream goes on listening or breaks off. That of a choice
   * that went on behind one can't, nor can a `stop` before the first word: some servers send one with every chunk.
   */
  get isReliable(): boolean {
    return this.#choices.every(
      (choice) => !choice || (!choice.wentOn && (choice.hasContent || choice.finish?.reason !== "stop")),
    );
  }

  /** Returns the event as clients should see it; undefined where there is nothing, or not yet anything, to show. */
  push(event: CanonicalEvent): CanonicalEvent | undefined {
    if (event.type === "usage") return withSanitizedUsage(event);
    if (event.type === "extra" && event.at === "chunk") return event;
    const choice = this.#choice(event.choice ?? 0);
    if (event.type === "finish") return this.#hold(choice, event);
    if (event.type === "extra" && event.at === "choice") return event;
    if (event.type === "text" && event.text === "") return event;
    choice.hasContent = true;
    if (choice.finish) choice.wentOn = choice.isOutrun = true;
    if (event.type === "extra") noteFunctionCall(choice, event);
    if (event.type !== "tool-call") return event;
    return (choice.calls ??= new ToolCalls((this.#ids ??= new CallIds()))).take(event);
  }

  /**
   * Returns what was held, and what is missing before it, at the end of the answer. Throws `bad-response` where a
   * choice that was not cut short has a call that can't be run.
   */
  release(): CanonicalEvent[] {
    return this.#choices.flatMap((choice, index) =>
      choice?.finish ? ended(choice, choice.finish, index) : [],
    );
  }

  #choice(index: number): Choice {
    let choice = this.#choices[index];
    if (!choice) {
      this.#choices[index] = choice = newChoice();
      this.#begun += 1;
    }
    return choice;
  }

  #hold(choice: Choice, event: FinishEvent): undefined {
    if (!choice.finish) this.#finished += 1;
    // Repeated without a word in between, a finish only replaces a plain `stop`.
    if (!choice.finish || choice.isOutrun || choice.finish.reason === "stop") choice.finish = event;
    choice.isOutrun = false;
  }
}

function newChoice(): Choice {
  return {
    finish: undefined,
    hasContent: false,
    wentOn: false,
    isOutrun: false,
    calls: undefined,
    functionCall: undefined,
  };
}

function ended(choice: Choice, finish: FinishEvent, index: number): CanonicalEvent[] {
  const isCut = finish.reason === "length" || finish.reason === "content_filter";
  const missing: CanonicalEvent[] = choice.calls?.end(isCut) ?? [];
  if (choice.functionCall && !isCut) {
    if (choice.functionCall.isBlank)
      missing.push({ type: "extra", at: "delta", fields: { function_call: { arguments: "{}" } } });
    else expectJson("function_call", choice.functionCall);
  }
  const events = [...missing, withReason(choice, finish)];
  return index === 0 ? events : events.map((event) => ({ ...event, choice: index }));
}

function withReason(choice: Choice, finish: FinishEvent): FinishEvent {
  return finish.reason === "stop" && choice.calls ? { ...finish, reason: "tool_calls" } : finish;
}

function noteFunctionCall(choice: Choice, { fields }: ExtraEvent): void {
  const call = fields["function_call"];
  if (typeof call !== "object" || call === null || Array.isArray(call)) return;
  const piece = (call as { arguments?: unknown }).arguments;
  choice.functionCall ??= new GrowingText();
  if (typeof piece === "string") choice.functionCall.add(piece);
}

function withSanitizedUsage(event: UsageEvent): UsageEvent {
  const usage = sanitizeUsage(event.usage);
  return usage === event.usage ? event : { type: "usage", usage };
}
