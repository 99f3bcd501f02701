import type {
  Call,
  ChatRequest,
  ChatStream,
  Json,
  JsonObject,
  NativeDialect,
  NativeRequest,
  Upstream,
} from "../contract/index.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import { stringifyJson } from "../json/json-text.ts";
import { originalBody } from "../json/source.ts";
import type { ModelBody } from "./model-request.ts";
import { GenerateRequest, unlessUnsupported } from "./model-request.ts";

/**
 * A conversation in a client API of its own. Upstreams that speak that API are given what the client wrote; all others,
 * and the core, get what it means as a conversation, which is made when it is first asked for.
 */
export abstract class NativeConversation extends GenerateRequest<ModelBody> {
  abstract override get dialect(): NativeDialect;
  #chat: ChatRequest | undefined;
  /** Why it can't be said in a conversation. */
  #fault: GatewayError | undefined;

  /** Returns what the body means, as far as a conversation can say it. Throws a GatewayError that names what can't be read. */
  protected abstract toChat(): ChatRequest;

  /** Asks an upstream that doesn't speak the API itself. `chat` has its own name for the model. */
  protected abstract askChat(
    upstream: Upstream,
    chat: ChatRequest,
    call: Call,
  ): ChatStream | Promise<ChatStream>;

  get ownBody(): JsonObject {
    return this.body;
  }

  override member(name: string): Json | undefined {
    return this.#conversation[name];
  }

  override names(): string[] {
    return Object.keys(this.#conversation);
  }

  /** Returns the same as a conversation, with this name for the model; throws what `toChat` throws. */
  chat(model: string): ChatRequest {
    const chat = this.#conversation;
    if (this.#fault) throw this.#fault;
    return { ...chat, model };
  }

  /** What can't be said in a conversation is for an upstream to judge that speaks the API. */
  override expectAskable(upstreams: readonly Upstream[]): void {
    if (!upstreams.some(({ native }) => native?.[this.dialect])) this.chat(this.model);
  }

  /** Returns what an upstream is given that speaks the API itself and knows the model by this name. */
  native(model: string): NativeRequest {
    return new NativeBody(this, this.bodyFor(model));
  }

  ask(upstream: Upstream, model: string, call: Call): ChatStream | Promise<ChatStream> {
    const chat = () => this.askChat(upstream, this.chat(model), call);
    const native = upstream.native?.[this.dialect]?.bind(upstream.native);
    return native ? unlessUnsupported(() => native(this.native(model), call), chat) : chat();
  }

  get #conversation(): ChatRequest {
    return (this.#chat ??= this.#translated());
  }

  #translated(): ChatRequest {
    try {
      return this.toChat();
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.#fault = error;
      // What limits go by.
      const content = stringifyJson(this.body);
      const { model, max_tokens } = this.body;
      return {
        model,
        messages: [{ role: "user", content }],
        ...(max_tokens !== undefined && { max_tokens }),
      };
    }
  }
}

class NativeBody implements NativeRequest {
  readonly #conversation: NativeConversation;
  readonly #body: ModelBody;

  constructor(conversation: NativeConversation, body: ModelBody) {
    this.#conversation = conversation;
    this.#body = body;
  }

  get dialect(): NativeDialect {
    return this.#conversation.dialect;
  }

  get model(): string {
    return this.#body.model;
  }

  get stream(): boolean {
    return this.#conversation.stream;
  }

  member(name: string): Json | undefined {
    return this.#body[name];
  }

  json(): JsonObject {
    return this.#body;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return originalBody(this.#body) ?? new TextEncoder().encode(stringifyJson(this.#body));
  }

  chat(): ChatRequest {
    return this.#conversation.chat(this.model);
  }
}
