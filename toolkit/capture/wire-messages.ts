import type { Json } from "../../src/contract/index.ts";
import type { Frame, Recording, ResponseFrame } from "./recording.ts";
import { isEngineUrl, parseJson, parsePacket } from "./socket-packet.ts";

// Sent by a timer, independent of the request: Engine.IO's, and usual names in event streams.
const HEARTBEATS: ReadonlySet<string> = new Set(["ping", "pong", "noop", "heartbeat", "keepalive"]);

/** One message of an upstream, with the paths and types of its value. */
export interface WireMessage {
  /** Its name in a report: `POST /v1/run/:id 200`, `socket message 2 "progress"`. */
  readonly kind: string;
  readonly places: readonly Place[];
  /** True for an error response, which doesn't prove that the format has changed. */
  readonly isRefusal: boolean;
}

/** Returns the messages that an upstream sent in a recording, and the plugin's events as messages. */
export function wireMessagesOf({ frames, answer }: Pick<Recording, "frames" | "answer">): WireMessage[] {
  const asked = new Map<number, string>();
  const urls = new Map<number, string>();
  const received = frames.flatMap((frame) => {
    if (frame.kind === "request") asked.set(frame.exchange, `${frame.method} ${pathTemplate(frame.url)}`);
    if (frame.kind === "socket-opened") urls.set(frame.socket, frame.url);
    if (frame.kind === "response") return responseMessages(frame, asked.get(frame.exchange) ?? "request");
    return frame.kind === "socket-received" ? socketMessages(frame, urls.get(frame.socket) ?? "") : [];
  });
  return [...received, ...answer.map((type) => message(`answer ${type}`, []))];
}

function responseMessages(
  { status, contentType, body, events }: ResponseFrame,
  asked: string,
): WireMessage[] {
  const type: Place = ["content-type", contentType || "none"];
  const places = body === undefined ? [type] : [type, ...placesOf(body)];
  const isRefusal = status >= 400;
  const response = { kind: `${asked} ${status}`, places, isRefusal };
  const telling = (events ?? []).filter(({ event }) => !HEARTBEATS.has(event));
  return [response, ...telling.map(({ event, data }) => dataMessage(`${asked} event "${event}"`, data))];
}

function socketMessages({ text }: Extract<Frame, { kind: "socket-received" }>, url: string): WireMessage[] {
  if (text === undefined) return [message("socket bytes", [])];
  const packet = isEngineUrl(url) ? parsePacket(text) : undefined;
  if (!packet) return [dataMessage("socket text", parseJson(text) ?? "")];
  if (HEARTBEATS.has(packet.name)) return [];
  const kind = `socket ${packet.name}`;
  const isRefusal = packet.name === "message 4";
  if (packet.name === "message 2" && Array.isArray(packet.payload)) {
    const [event, ...values] = packet.payload as readonly Json[];
    return [message(`${kind} ${JSON.stringify(event)}`, argumentPlaces(values))];
  }
  return [{ kind, isRefusal, places: packet.payload === undefined ? [] : placesOf(packet.payload) }];
}

/** Returns the paths of an event's arguments. Those of the first, usually the only one, have no prefix. */
function argumentPlaces(values: readonly Json[]): Place[] {
  return values.flatMap((value, index) => placesOf(value, index === 0 ? "" : `argument ${index + 1} `));
}

// Keys whose value names a message's type; `object` is OpenAI's.
const DISCRIMINATORS = ["type", "event", "op", "kind", "object"];
const WORD = /^[\w.:/[\]-]{1,64}$/;
// A marker that isn't JSON, such as OpenAI's `[DONE]`.
const MARK = /^\[[A-Z_]+\]$/;

/** Creates a message for a value, named by its discriminator. */
function dataMessage(kind: string, data: Json): WireMessage {
  return message([kind, ...discriminatorOf(data)].join(" "), placesOf(data));
}

function discriminatorOf(data: Json): readonly string[] {
  if (typeof data === "string") return MARK.test(data) ? [data] : [];
  if (typeof data !== "object" || data === null || Array.isArray(data)) return [];
  const members = new Map(Object.entries(data));
  const word = DISCRIMINATORS.map((name) => members.get(name)).find((value) => typeof value === "string");
  return typeof word === "string" && WORD.test(word) ? [word] : [];
}

function message(kind: string, places: readonly Place[]): WireMessage {
  return { kind, places, isRefusal: false };
}

/** A path within a value and the JSON type there: `.choices[].delta.content`, `string`. */
type Place = readonly [path: string, type: string];

/** Returns every path of a JSON value, the value itself first. Keys that are ids become `:id`. */
export function placesOf(value: Json, path = ""): Place[] {
  const here: Place = [path, typeName(value)];
  if (Array.isArray(value)) {
    return [here, ...value.flatMap((item: Json) => placesOf(item, `${path}[]`))];
  }
  if (typeof value !== "object" || value === null) return [here];
  const members = Object.entries(value).flatMap(([key, member]) =>
    member === undefined ? [] : placesOf(member, `${path}.${isId(key) ? ":id" : key}`),
  );
  return [here, ...members];
}

function typeName(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const NUMBER = /^\d+$/;
const HEX = /^[0-9a-f]{12,}$/i;
// Names of models are long and have digits, too, but no letters of both cases.
const RANDOM = /^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])[\w-]{16,}$/;

/** Returns whether a word is a generated id, which differs from call to call. */
function isId(word: string): boolean {
  return [UUID, NUMBER, HEX, RANDOM].some((form) => form.test(word));
}

/** Returns the path of a URL, without query, with `:id` in place of ids. */
export function pathTemplate(url: string): string {
  const words = new URL(url).pathname.split("/");
  return words.map((word) => (isId(word) ? ":id" : word)).join("/");
}
