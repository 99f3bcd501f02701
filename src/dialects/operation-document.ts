/** What openapi.json says of one endpoint. */
export interface OperationDocument {
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly object[];
  /** Of an endpoint that takes a body: what it must hold, which is what it is checked by. */
  readonly body?: {
    readonly schema: object;
    /** What the documents' "Try it out" begins with. */
    readonly example: object;
  };
  /** The answer with status 200. */
  readonly answer: object;
}

/** Describes an answer in JSON. */
export function jsonAnswer(description: string, schema: object): object {
  return { description, content: { "application/json": { schema } } };
}

/** Describes an answer that is one JSON object, or a stream of events when the client asks for one. */
export function generatedAnswer(description: string): object {
  return {
    description,
    content: {
      "application/json": { schema: { type: "object" } },
      "text/event-stream": { schema: { type: "string" } },
    },
  };
}
