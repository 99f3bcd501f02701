/**
 * What the load clients ask of the stub upstream, and what its answers must then say: an order is written into
 * the first message of a request, as `#paced 7 40 100`, and every contender passes it on.
 * @module
 */

/** How the stub answers: in one piece, with all events at once, or with one after the other. */
export const KINDS = ["plain", "burst", "paced"] as const;
export type Kind = (typeof KINDS)[number];

/** In which API a client asks. */
export type Api = "chat" | "messages";

export interface Order {
  readonly kind: Kind;
  /** Which of the texts is said, so that answers mixed up between streams are noticed. 0 to LANES - 1. */
  readonly lane: number;
  /** Of how many tokens the answer is. */
  readonly tokens: number;
  /** Milliseconds between the events of a paced stream. */
  readonly interval: number;
}

export const LANES = 64;

/** The one model that the stub has. */
export const MODEL = "bench";

/** Events of a streamed answer that are no token: the role, the finish, the usage, and `[DONE]`. */
const FRAME_EVENTS = 4;

const PARAGRAPH = 'It was said, "so be it", and nobody in the room had an answer.\n'.repeat(8);

/** How many events the stub sends for it; `[DONE]` counts. */
export function eventsOf(order: Pick<Order, "tokens">): number {
  return order.tokens + FRAME_EVENTS;
}

/** The token number `n` of a lane's text: the number is in it, so that a lost or doubled one is seen. */
export function tokenOf(lane: number, n: number): string {
  return ` ${lane}.${n}`;
}

const texts = new Map<string, string>();

/** The whole text of the answer. */
export function textOf({ lane, tokens }: Order): string {
  const name = `${lane} ${tokens}`;
  let text = texts.get(name);
  if (text === undefined) {
    text = Array.from({ length: tokens }, (_, n) => tokenOf(lane, n)).join("");
    texts.set(name, text);
  }
  return text;
}

interface Message {
  readonly role: string;
  readonly content: string;
}

/** A conversation of about `bytes` bytes that begins with the order. */
export function messagesOf({ kind, lane, tokens, interval }: Order, bytes: number): readonly Message[] {
  const messages: Message[] = [{ role: "user", content: `#${kind} ${lane} ${tokens} ${interval} ` }];
  for (let length = 0; length < bytes; length += PARAGRAPH.length) {
    messages.push({ role: messages.length % 2 === 0 ? "user" : "assistant", content: PARAGRAPH });
  }
  return messages;
}

/** The JSON of a chat request of about `bytes` bytes that carries the order. */
export function bodyOf(order: Order, bytes: number, api: Api = "chat"): string {
  if (api === "messages")
    return JSON.stringify({
      model: MODEL,
      max_tokens: 1024,
      messages: messagesOf(order, bytes),
      stream: true,
    });
  const stream = order.kind === "plain" ? {} : { stream: true, stream_options: { include_usage: true } };
  return JSON.stringify({ model: MODEL, messages: messagesOf(order, bytes), ...stream });
}

/** The order in a request; undefined when there is none. */
export function orderIn(request: Buffer): Order | undefined {
  const start = request.indexOf('"#');
  const words = start < 0 ? [] : request.toString("latin1", start + 2, start + 40).split(" ", 4);
  const kind = KINDS.find((known) => known === words[0]);
  if (kind === undefined) return undefined;
  return { kind, lane: Number(words[1]), tokens: Number(words[2]), interval: Number(words[3]) };
}
