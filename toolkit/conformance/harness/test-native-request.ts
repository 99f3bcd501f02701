import type {
  ChatRequest,
  Json,
  JsonObject,
  NativeDialect,
  NativeRequest,
} from "../../../src/contract/index.ts";

/** A request's body, as its client wrote it. */
export interface TestBody {
  readonly text: string;
  readonly json: JsonObject;
}

/** Writes a body as no program would: whoever writes it anew writes it otherwise. */
export function testBody(members: JsonObject): TestBody {
  return { text: ` ${JSON.stringify(members, undefined, " ")}\n`, json: members };
}

/** A request in a client's own API, for an upstream that speaks it. */
export class TestNativeRequest implements NativeRequest {
  readonly dialect: NativeDialect;
  readonly #body: TestBody;

  constructor(body: TestBody, dialect: NativeDialect) {
    this.#body = body;
    this.dialect = dialect;
  }

  get model(): string {
    const { model } = this.#body.json;
    return typeof model === "string" ? model : "";
  }

  get stream(): boolean {
    return this.#body.json["stream"] === true;
  }

  member(name: string): Json | undefined {
    return this.#body.json[name];
  }

  json(): JsonObject {
    return this.#body.json;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return new TextEncoder().encode(this.#body.text);
  }

  chat(): ChatRequest {
    const messages = [{ role: "user", content: "Say something." }];
    return { model: this.model, stream: this.stream, messages };
  }
}
