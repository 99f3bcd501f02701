import type { ChatEvent, FinishEvent, ToolCallEvent, UsageEvent } from "../contract/index.ts";
import { UpstreamError } from "../contract/index.ts";
import { soundUsage } from "./sound-usage.ts";

/** More arguments than these before a call's name are no call. */
const MAX_EARLY = 1024 * 1024;

interface ToolCall {
  /** The place in the answer, counted by us from 0. */
  readonly index: number;
  readonly id: string;
  named: boolean;
  /** Arguments that came before the name. */
  early: string;
}

interface Choice {
  finished: boolean;
  calls: number;
  /** By the upstream's own index; undefined until there is one. */
  open: Map<number, ToolCall> | undefined;
}

/**
 * Makes one upstream's events such as every client can read, whatever the upstream's habits: tool calls
 * are numbered from 0 in the order they begin, each with an id and a name in its first event and only
 * there; a choice that called tools ends with `tool_calls`; nothing comes after a choice's finish; a usage has
 * counts in it and nothing else.
 */
export class Tidy {
  /** Nearly always one: a list takes a fifth of the memory of a map. */
  readonly #choices: (Choice | undefined)[] = [];
  #begun = 0;
  #finished = 0;

  /** How many choices have had their finish. */
  get finished(): number {
    return this.#finished;
  }

  /** True when every choice that has begun has had its finish, and at least one has. */
  get complete(): boolean {
    return this.#finished > 0 && this.#finished === this.#begun;
  }

  /** The event as clients should see it; undefined where there is nothing (yet) to show. */
  push(event: ChatEvent): ChatEvent | undefined {
    if (event.type === "usage") return withSoundUsage(event);
    if (event.type === "extra" && event.at === "chunk") return event;
    const choice = this.#choice(event.choice ?? 0);
    if (choice.finished) return undefined;
    if (event.type === "tool-call") return this.#toolCall(choice, event);
    if (event.type === "finish") return this.#finish(choice, event);
    return event;
  }

  #choice(index: number): Choice {
    let choice = this.#choices[index];
    if (!choice) {
      this.#choices[index] = choice = { finished: false, calls: 0, open: undefined };
      this.#begun += 1;
    }
    return choice;
  }

  #toolCall(choice: Choice, event: ToolCallEvent): ToolCallEvent | undefined {
    const open = (choice.open ??= new Map<number, ToolCall>());
    let call = open.get(event.index);
    // Some upstreams number every call 0: another id is another call.
    if (!call || (event.id !== undefined && call.named && event.id !== call.id)) {
      call = { index: choice.calls++, id: event.id || newCallId(), named: false, early: "" };
      open.set(event.index, call);
    }
    const { id: _, name, arguments: piece = "", ...rest } = event;
    if (call.named) return { ...rest, index: call.index, arguments: piece };
    call.early += piece;
    if (call.early.length > MAX_EARLY) throw unnamed();
    if (!name) return undefined;
    call.named = true;
    return { ...rest, index: call.index, id: call.id, name, arguments: call.early };
  }

  #finish(choice: Choice, event: FinishEvent): FinishEvent {
    for (const call of choice.open?.values() ?? []) if (!call.named) throw unnamed();
    choice.finished = true;
    this.#finished += 1;
    return event.reason === "stop" && choice.calls > 0 ? { ...event, reason: "tool_calls" } : event;
  }
}

function withSoundUsage(event: UsageEvent): UsageEvent {
  const usage = soundUsage(event.usage);
  return usage === event.usage ? event : { type: "usage", usage };
}

function unnamed(): UpstreamError {
  return new UpstreamError("bad-response", "the upstream called a tool without naming it");
}

function newCallId(): string {
  return `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
}
