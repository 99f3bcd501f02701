import type { FoldedFields, JsonObject } from "../../../../contract/index.ts";
import { foldExtra } from "../../../../contract/index.ts";
import type { RaisedTool } from "../request/tools.ts";
import { CustomInput, customInput } from "./custom-input.ts";
import type { ItemIdentity, ItemStatus } from "./item.ts";
import { OutputItem } from "./item.ts";
import type { EventSink } from "./sink.ts";

/** What names a call. */
export interface CallIdentity extends ItemIdentity {
  readonly callId: string;
  readonly tool: RaisedTool;
}

/** A call of a tool. */
export class CallItem extends OutputItem {
  readonly #callId: string;
  readonly #tool: RaisedTool;
  readonly #fields: FoldedFields = {};
  readonly #input: CustomInput | undefined;
  readonly #head = this.head();
  #arguments = "";

  constructor(identity: CallIdentity, sink: EventSink) {
    super(identity, sink);
    this.#callId = identity.callId;
    this.#tool = identity.tool;
    if (identity.tool.type === "custom") this.#input = new CustomInput();
  }

  /** Whether it can be run: its arguments are all there. */
  get isWhole(): boolean {
    try {
      JSON.parse(this.#arguments);
      return true;
    } catch {
      return false;
    }
  }

  /** Takes in what the upstream adds to the call, which must be given back to it. */
  addFields(fields: JsonObject): void {
    foldExtra(this.#fields, fields);
  }

  push(piece: string): void {
    this.#arguments += piece;
    if (!this.#input) return this.tellDelta("response.function_call_arguments.delta", piece, this.#head);
    const text = this.#input.push(piece);
    if (text !== "") this.tellDelta("response.custom_tool_call_input.delta", text, this.#head);
  }

  body(status: ItemStatus | "in_progress"): JsonObject {
    const { name, namespace } = this.#tool;
    const isBegun = status !== "in_progress";
    const extra = this.#fields["extra_content"];
    return {
      id: this.id,
      ...(this.#input
        ? { type: "custom_tool_call", status, call_id: this.#callId, name, input: isBegun ? this.#text : "" }
        : {
            type: "function_call",
            status,
            call_id: this.#callId,
            name,
            arguments: isBegun ? this.#arguments : "",
          }),
      ...(namespace !== undefined && { namespace }),
      ...(extra !== undefined && { extra_content: extra }),
    };
  }

  protected end(): void {
    if (this.#input) this.tell("response.custom_tool_call_input.done", { input: this.#text });
    else {
      const { name } = this.#tool;
      this.tell("response.function_call_arguments.done", { name, arguments: this.#arguments });
    }
  }

  get #text(): string {
    return customInput(this.#arguments);
  }
}
