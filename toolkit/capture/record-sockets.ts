import type { Frame } from "./recording.ts";
import type { FrameLog } from "./frame-log.ts";

/** What the two classes of sockets have in common. */
interface Socket {
  readonly url: string;
}

type Method = (this: Socket, ...parameters: unknown[]) => unknown;
type PatchedProperty = readonly [prototype: object, name: string, before: PropertyDescriptor | undefined];

// A program's first use of a new socket is one of these.
const METHODS = ["send", "addEventListener", "on", "once", "addListener"];
const HANDLERS = ["onopen", "onmessage", "onclose", "onerror"];

/**
 * Records the messages of every WebSocket of this process until disposed: those of the global class, and those of the
 * package `ws`, which Bun provides and socket.io-client uses. Neither class can be replaced where it is already
 * imported, so the methods of their prototypes are patched.
 */
export async function recordSockets(frameLog: FrameLog): Promise<Disposable> {
  const { WebSocket: packaged } = await import("ws");
  const watched = [WebSocket.prototype, packaged.prototype].flatMap((prototype) =>
    patchPrototype(prototype, frameLog),
  );
  return { [Symbol.dispose]: () => watched.forEach(restore) };
}

function restore([prototype, name, before]: PatchedProperty): void {
  if (before) Object.defineProperty(prototype, name, before);
  else Reflect.deleteProperty(prototype, name);
}

function patchPrototype(prototype: object, frameLog: FrameLog): PatchedProperty[] {
  const listen: unknown = Reflect.get(prototype, "addEventListener");
  const numbers = new WeakMap<Socket, number>();
  const numberOf = (socket: Socket): number => {
    const known = numbers.get(socket);
    if (known !== undefined) return known;
    const number = frameLog.nextId();
    numbers.set(socket, number);
    record(socket, number, { frameLog, listen: listen as Method });
    return number;
  };
  const methods = METHODS.filter((name) => name in prototype).map((name) =>
    patchMethod(prototype, name, (socket, [first]) => {
      const number = numberOf(socket);
      if (name === "send")
        frameLog.frames.push(dataFrame("socket-sent", first, { socket: number, at: frameLog.now() }));
    }),
  );
  return [...methods, ...HANDLERS.map((name) => patchHandler(prototype, name, numberOf))];
}

function patchMethod(
  prototype: object,
  name: string,
  seen: (socket: Socket, parameters: readonly unknown[]) => void,
): PatchedProperty {
  const before = Object.getOwnPropertyDescriptor(prototype, name);
  const original = Reflect.get(prototype, name) as Method;
  const value: Method = function (...parameters) {
    seen(this, parameters);
    return original.apply(this, parameters);
  };
  Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
  return [prototype, name, before];
}

function patchHandler(prototype: object, name: string, seen: (socket: Socket) => void): PatchedProperty {
  const before = Object.getOwnPropertyDescriptor(prototype, name);
  Object.defineProperty(prototype, name, {
    ...before,
    set(this: Socket, handler: unknown) {
      seen(this);
      before?.set?.call(this, handler);
    },
  });
  return [prototype, name, before];
}

function record(
  socket: Socket,
  number: number,
  { frameLog, listen }: { readonly frameLog: FrameLog; readonly listen: Method },
): void {
  const on = (type: string, heard: (event: object) => Frame): void => {
    listen.call(socket, type, (event: object) => void frameLog.frames.push(heard(event)));
  };
  frameLog.frames.push({ kind: "socket-opened", at: frameLog.now(), socket: number, url: socket.url });
  on("message", (event) =>
    dataFrame("socket-received", Reflect.get(event, "data"), { socket: number, at: frameLog.now() }),
  );
  on("close", (event) => {
    const code: unknown = Reflect.get(event, "code");
    return {
      kind: "socket-closed",
      at: frameLog.now(),
      socket: number,
      code: typeof code === "number" ? code : 1005,
    };
  });
}

/** Returns a frame. Of bytes only the number is kept, since they can't be searched for secrets. */
function dataFrame(
  kind: "socket-sent" | "socket-received",
  data: unknown,
  where: { readonly socket: number; readonly at: number },
): Frame {
  return typeof data === "string" ? { kind, ...where, text: data } : { kind, ...where, bytes: bytesOf(data) };
}

function bytesOf(data: unknown): number {
  if (data instanceof Blob) return data.size;
  const length: unknown = typeof data === "object" && data !== null ? Reflect.get(data, "byteLength") : 0;
  return typeof length === "number" ? length : 0;
}
