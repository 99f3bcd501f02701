import type { CanonicalEvent, ChatEvent, FinishReason, NativeEvent } from "../contract/index.ts";
import { isObject } from "../contract/json.ts";

/** Limit of the choices of one answer. */
const MAX_CHOICES = 1_024;

const REASONS: Readonly<Record<FinishReason, true>> = {
  stop: true,
  length: true,
  tool_calls: true,
  content_filter: true,
};

const PLACES = ["delta", "choice", "chunk"];

/**
 * Throws a `TypeError` for a plugin's event that breaks the contract: plugins need not be written in TypeScript, and
 * later stages don't check events again.
 */
export function validateEvent(event: ChatEvent, mayBeNative = false): void {
  const fault = mayBeNative && isNative(event) ? faultInFrame(event) : faultIn(event as CanonicalEvent);
  if (fault) throw new TypeError(`an event that is not in the contract: ${fault}`);
}

/** Whether an event is, or says that it is, a frame as the upstream wrote it. */
function isNative(event: ChatEvent | null): event is NativeEvent {
  return event?.type === "native";
}

function faultInFrame({ name, data, events }: NativeEvent): string | undefined {
  if (typeof name !== "string" || name.includes("\n")) return "`name` is no name";
  if (typeof data !== "string" || !Array.isArray(events)) return "`data` is no string, or `events` no list";
  for (const event of events) {
    const fault = faultIn(event);
    if (fault) return fault;
  }
  return undefined;
}

function faultIn(event: CanonicalEvent): string | undefined {
  if (typeof event !== "object" || event === null) return "it is no object";
  if (event.type !== "usage" && !isIndex(event.choice ?? 0)) return "`choice` is no index";
  switch (event.type) {
    case "text":
    case "reasoning":
      return typeof event.text === "string" ? undefined : "`text` is no string";
    case "tool-call":
      return isIndex(event.index) && areStrings(event.id, event.name, event.arguments)
        ? undefined
        : "`index` is no index, or `id`, `name` or `arguments` is no string";
    case "extra":
      return PLACES.includes(event.at) && isObject(event.fields) ? undefined : "`at` or `fields` is wrong";
    case "finish":
      if (!Object.hasOwn(REASONS, event.reason)) return "`reason` is none";
      return areStrings(event.native, event.stopSequence)
        ? undefined
        : "`native` or `stopSequence` is no string";
    case "usage":
      return isObject(event.usage) ? undefined : "`usage` is no object";
    default:
      return "its `type` is unknown";
  }
}

function isIndex(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) < MAX_CHOICES;
}

function areStrings(...values: unknown[]): boolean {
  return values.every((value) => value === undefined || typeof value === "string");
}
