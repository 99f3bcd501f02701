import type { JsonObject, ToolCallEvent } from "../../contract/index.ts";

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
  const { type, invocation, extra } = parts({ id, name, arguments: text, fields });
  return { index, ...(name !== undefined && { id, type }), ...invocation, ...extra };
}

/** A tool call in a message. */
export function toolCallBody(call: WholeCall): JsonObject {
  const { type, invocation, extra } = parts(call);
  return { id: call.id, type, ...invocation, ...extra };
}

interface Parts {
  readonly type: string;
  readonly invocation: JsonObject;
  readonly extra: JsonObject;
}

/** Calls of custom tools have an object of their own; all other members an upstream adds go into `extra_content`. */
function parts({ name, arguments: text, fields }: WholeCall): Parts {
  const { type, ...others } = fields;
  const own = type === "custom" || type === undefined ? others : fields;
  return {
    type: type === "custom" ? type : "function",
    invocation:
      type === "custom" ? { custom: { name, input: text } } : { function: { name, arguments: text } },
    extra: Object.keys(own).length > 0 ? { extra_content: own } : {},
  };
}
