import type { JsonObject, ToolCallEvent } from "../../../contract/index.ts";
import { isObject } from "../../../contract/json.ts";

/** A tool call with all its pieces in one. */
export interface WholeCall {
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly arguments: string;
  /** The upstream's own members. */
  readonly fields: JsonObject;
}

/** A tool call's delta: id, type and name only in its first, which is the one that has a name. */
export function toolCallDelta(event: ToolCallEvent): JsonObject {
  const { index, id, name, arguments: text = "", fields = {} } = event;
  const { type, invocation, own } = parts({ id, name, arguments: text, fields });
  return { index, ...(name !== undefined && { id, type }), ...invocation, ...own };
}

/** A tool call in a message. */
export function toolCallBody(call: WholeCall): JsonObject {
  const { type, invocation, own } = parts(call);
  return { id: call.id, type, ...invocation, ...own };
}

interface Parts {
  readonly type: string;
  readonly invocation: JsonObject;
  readonly own: JsonObject;
}

/**
 * What an upstream adds to a call stands where it put it, beside `id` or within `function`, so that the client gives it
 * back as the upstream said it.
 */
function parts({ name, arguments: text, fields }: WholeCall): Parts {
  const { type, id: _, index: __, custom: ___, function: inside, ...own } = fields;
  const more = isObject(inside) ? inside : {};
  return type === "custom"
    ? { type, invocation: { custom: { ...more, name, input: text } }, own }
    : {
        type: "function",
        invocation: { function: { ...more, name, arguments: text } },
        own: type === undefined ? own : { ...own, type },
      };
}
