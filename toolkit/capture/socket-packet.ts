import type { Json } from "../../src/contract/index.ts";

/** A text frame of Engine.IO that holds a Socket.IO packet, or one of Engine.IO's own. */
export interface SocketPacket {
  /** `open`, `message 0` (connected), `message 2` (an event), `message 4` (refused) …, by the protocols' numbers. */
  readonly name: string;
  readonly payload: Json | undefined;
}

// https://socket.io/docs/v4/engine-io-protocol/#protocol
const ENGINE = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
const PACKET = /^(\d)(?:\d+-)?(?:\/[^,]*,)?\d*([^]*)$/;

/** Returns whether a socket's URL is that of Engine.IO, the transport of Socket.IO. */
export function isEngineUrl(url: string): boolean {
  return new URL(url).searchParams.has("EIO");
}

/** Parses an Engine.IO text frame; undefined when it is none. */
export function parsePacket(text: string): SocketPacket | undefined {
  const engine = ENGINE[Number(text[0] ?? "x")];
  if (engine === undefined) return undefined;
  if (engine !== "message") return { name: engine, payload: parseJson(text.slice(1)) };
  const [, type, payload] = PACKET.exec(text.slice(1)) ?? [];
  if (type === undefined) return { name: engine, payload: text.slice(1) };
  return { name: `${engine} ${type}`, payload: parseJson(payload ?? "") };
}

/** Parses a text as JSON; returns the text itself when it isn't JSON, and undefined when it is empty. */
export function parseJson(text: string): Json | undefined {
  if (text === "") return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
