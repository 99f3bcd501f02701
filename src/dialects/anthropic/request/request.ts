import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { Call, ChatRequest, ChatStream, Json, Upstream } from "../../../contract/index.ts";
import { isObject } from "../../../contract/json.ts";
import { explain } from "../../explain.ts";
import type { ModelBody } from "../../model-request.ts";
import { NativeConversation } from "../../native-conversation.ts";
import { chatRequest } from "./chat.ts";
import { chatFor } from "../../fitting/chat-for.ts";
import { clientName } from "./client-name.ts";
import { Refusals } from "../../fitting/refusals.ts";
import { MessagesRequestSchema } from "./schema.ts";
import { shortenedNames } from "./tools.ts";

const compiled = TypeCompiler.Compile(MessagesRequestSchema);

/** Returns the client's body, checked. Throws a GatewayError that names the member at fault. */
export function parseMessagesRequest(body: unknown): MessagesRequest {
  if (!compiled.Check(body)) throw explain(compiled, body);
  return new MessagesRequest(body as ModelBody);
}

/** Members by which an answer depends on more than the request. */
const STATE = ["thread", "container", "mcp_servers", "diagnostics"];

function isPresent(value: Json | undefined): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

/** Tools of the API have a date in their type; those of these names are run by the client. */
function isServerTool(type: Json | undefined): boolean {
  return (
    typeof type === "string" && /_\d{8}$/.test(type) && !/^(bash|text_editor|computer|memory)_/.test(type)
  );
}

/** What is learnt of upstreams holds for all requests. */
const refusals = new Refusals();

/** A Messages request. Upstreams that speak another API are asked for a chat, without what they don't know. */
export class MessagesRequest extends NativeConversation {
  readonly dialect = "anthropic-messages";

  constructor(body: ModelBody) {
    super(body, { stream: body["stream"] === true, includeUsage: true });
  }

  override clientName(member: string): string {
    return clientName(member);
  }

  /** The client's names of tools, by the shorter ones that other upstreams are told. */
  get longNames(): ReadonlyMap<string, string> {
    return shortenedNames(this.body);
  }

  override get keepsState(): boolean {
    return STATE.some((name) => isPresent(this.body[name])) || this.#hasServerTools;
  }

  get #hasServerTools(): boolean {
    const { tools } = this.body;
    return Array.isArray(tools) && tools.some((tool) => isObject(tool) && isServerTool(tool["type"]));
  }

  protected override toChat(): ChatRequest {
    return chatRequest(this.body);
  }

  protected override async askChat(upstream: Upstream, chat: ChatRequest, call: Call): Promise<ChatStream> {
    const fitted = chatFor(chat, { extensions: new Set(upstream.extensions), call });
    return refusals.ask(upstream, fitted, call);
  }
}
