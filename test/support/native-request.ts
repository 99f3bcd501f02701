import type { NativeDialect, NativeRequest } from "modelyard/plugin";
import type { ChatRequest, ChatStream, Call, Upstream } from "../../src/contract/index.ts";
import type { ModelBody } from "../../src/dialects/model-request.ts";
import { NativeConversation } from "../../src/dialects/native-conversation.ts";
import { parseBody } from "../../src/pipeline/intake/parse-body.ts";

/** A request in a client API of its own, for a test: what it means as a conversation is given. */
export class TestConversation extends NativeConversation {
  readonly #dialect: NativeDialect;
  readonly #meaning: Partial<ChatRequest>;

  constructor(body: ModelBody, dialect: NativeDialect, meaning: Partial<ChatRequest> = {}) {
    super(body, { stream: body["stream"] === true, includeUsage: true });
    this.#dialect = dialect;
    this.#meaning = meaning;
  }

  get dialect(): NativeDialect {
    return this.#dialect;
  }

  protected toChat(): ChatRequest {
    return { messages: [{ role: "user", content: "Hi" }], ...this.#meaning, model: this.body.model };
  }

  protected askChat(upstream: Upstream, chat: ChatRequest, call: Call): ChatStream | Promise<ChatStream> {
    return upstream.chat(chat, call);
  }
}

/** A client's body as an upstream is given it that knows its model as `model`. */
export function nativeRequest(body: string, model: string, dialect: NativeDialect): NativeRequest {
  return new TestConversation(parseBody(Buffer.from(body)) as ModelBody, dialect).native(model);
}
