import { Value } from "@sinclair/typebox/value";
import type { Json, Static } from "../../src/contract/index.ts";
import { Type } from "../../src/contract/index.ts";

const at = Type.Number({ description: "Milliseconds since the upstream was asked" });
const exchange = Type.Integer({ description: "Which request and response belong together" });
const socket = Type.Integer({ description: "Which socket it is" });
const json = Type.Unsafe<Json>(Type.Unknown());
const names = Type.Array(Type.String(), { description: "Names of headers; their values are not kept" });

const Request = Type.Object({
  kind: Type.Literal("request"),
  at,
  exchange,
  method: Type.String(),
  url: Type.String(),
  headers: names,
  body: Type.Optional(json),
});

const Response = Type.Object({
  kind: Type.Literal("response"),
  at,
  exchange,
  status: Type.Integer(),
  contentType: Type.String({ description: "Without its parameters" }),
  headers: names,
  pieces: Type.Array(Type.Object({ at, bytes: Type.Integer() }), {
    description: "How the body came: a piece's text could be half of a secret, so only its size is kept",
  }),
  body: Type.Optional(json),
  events: Type.Optional(Type.Array(Type.Object({ at, event: Type.String(), data: json }))),
});

const SocketOpened = Type.Object({ kind: Type.Literal("socket-opened"), at, socket, url: Type.String() });
const said = { at, socket, text: Type.Optional(Type.String()), bytes: Type.Optional(Type.Integer()) };
const SocketSent = Type.Object({ kind: Type.Literal("socket-sent"), ...said });
const SocketReceived = Type.Object({ kind: Type.Literal("socket-received"), ...said });
const SocketClosed = Type.Object({ kind: Type.Literal("socket-closed"), at, socket, code: Type.Integer() });

const FrameSchema = Type.Union([Request, Response, SocketOpened, SocketSent, SocketReceived, SocketClosed]);

const RecordingSchema = Type.Object({
  version: Type.Literal(1),
  upstream: Type.String({ description: "Its name in gateway.yaml" }),
  plugin: Type.String(),
  model: Type.String(),
  prompt: Type.String(),
  recorded: Type.String({ description: "When: ISO 8601, UTC" }),
  answer: Type.Array(Type.String(), { description: "The types of the events that the plugin made of it" }),
  frames: Type.Array(FrameSchema),
});

/** One recorded frame. `at` is in milliseconds since the call began. */
export type Frame = Static<typeof FrameSchema>;

/** A response with the arrival of its body. */
export type ResponseFrame = Static<typeof Response>;

/** One call of an upstream with everything it sent, without secrets. */
export type Recording = Static<typeof RecordingSchema>;

/** Parses the text of a recording. Throws an Error that names the first problem. */
export function parseRecording(text: string): Recording {
  const found: unknown = JSON.parse(text);
  if (Value.Check(RecordingSchema, found)) return found;
  const wrong = Value.Errors(RecordingSchema, found).First();
  throw new Error(`${wrong?.path || "the file"}: ${wrong?.message ?? "is no recording"}`);
}
