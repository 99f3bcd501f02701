import type { Json, JsonObject, ToolCallEvent } from "../../contract/index.ts";
import { numberOf, objectOf, textOf } from "../json.ts";
import type { Said } from "../json.ts";

interface Slot {
  readonly index: number;
  id: string;
  name: string;
}

/** The tool calls of one choice, as their pieces come. */
export class ToolCalls {
  /** By the upstream's own index, the call to which its next piece belongs. */
  #slots: Map<number, Slot> | undefined;
  #next = 0;

  /** The events of one `tool_calls` list; without an index a call's place in the list counts. */
  read(pieces: readonly Json[]): ToolCallEvent[] {
    return pieces.flatMap((piece, place) => {
      const call = objectOf(piece);
      return call ? this.#readPiece(call, numberOf(call["index"]) ?? place) : [];
    });
  }

  #readPiece(call: JsonObject, ownIndex: number): ToolCallEvent[] {
    const custom = objectOf(call["custom"]);
    const invocation = custom ?? objectOf(call["function"]);
    const [id, name] = [textOf(call["id"]), textOf(invocation?.["name"])];
    const slot = this.#slotOf(ownIndex, id, name);
    const event: ToolCallEvent = {
      type: "tool-call",
      index: slot.index,
      ...(id !== "" && slot.id === "" ? { id } : {}),
      ...(name !== "" && slot.name === "" ? { name } : {}),
      ...argumentsOf(invocation?.[custom ? "input" : "arguments"]),
      ...fieldsOf(call, invocation, custom !== undefined),
    };
    slot.id ||= id;
    slot.name ||= name;
    return saysSomething(event) ? [event] : [];
  }

  #slotOf(ownIndex: number, id: string, name: string): Slot {
    const slot = this.#slots?.get(ownIndex);
    // Gemini gives each parallel call index 0: another id with a name begins another call. An id alone does not,
    // because old vLLM makes up a new one for every piece.
    const isSame = slot && (id === "" || name === "" || slot.id === "" || slot.id === id);
    if (isSame) return slot;
    const fresh: Slot = { index: slot || ownIndex < this.#next ? this.#next : ownIndex, id: "", name: "" };
    this.#next = fresh.index + 1;
    (this.#slots ??= new Map()).set(ownIndex, fresh);
    return fresh;
  }
}

function argumentsOf(value: Said): { arguments?: string } {
  if (value === undefined || value === null) return {};
  return { arguments: typeof value === "string" ? value : JSON.stringify(value) };
}

/**
 * The upstream's own members of a call and of its function, `type` included where it isn't the usual one: each
 * piece of a custom tool's call says that it is one. `extra_content` is where clients get such members, so what
 * stands there already isn't wrapped once more.
 */
function fieldsOf(
  call: JsonObject,
  invocation: JsonObject | undefined,
  isCustom: boolean,
): { fields?: JsonObject } {
  const { extra_content: extra, ...own } = without(call, CALL_MEMBERS);
  const inside = without(invocation ?? {}, isCustom ? CUSTOM_MEMBERS : FUNCTION_MEMBERS);
  const type = isCustom ? "custom" : textOf(call["type"]);
  const fields: JsonObject = {
    ...(objectOf(extra) ?? (extra === undefined ? {} : { extra_content: extra })),
    ...own,
    ...(type !== "" && type !== "function" ? { type } : {}),
    ...(Object.keys(inside).length > 0 ? { function: inside } : {}),
  };
  return Object.keys(fields).length > 0 ? { fields } : {};
}

const CALL_MEMBERS = new Set(["index", "id", "type", "function", "custom"]);
const FUNCTION_MEMBERS = new Set(["name", "arguments"]);
const CUSTOM_MEMBERS = new Set(["name", "input"]);

function without(members: JsonObject, known: ReadonlySet<string>): JsonObject {
  return Object.fromEntries(
    Object.entries(members).filter(([name, value]) => !known.has(name) && value !== null),
  );
}

function saysSomething(event: ToolCallEvent): boolean {
  return Boolean(event.id ?? event.name ?? event.fields ?? event.arguments);
}
