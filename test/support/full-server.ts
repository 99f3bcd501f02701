import { dlopen, FFIType, ptr } from "bun:ffi";

/** A port to which connections can be begun that nobody takes. */
export interface FullServer extends AsyncDisposable {
  readonly url: string;
}

const AF_INET = 2;
const SOCK_STREAM = 1;
/** The system lets one more in than the backlog says, and then drops what asks to be let in. */
const BACKLOG = 0;

const { symbols: system } = dlopen("libc.so.6", {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  listen: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  getsockname: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
});

/** A server that listens and never accepts, whose queue is full: Bun's own accept at once. */
export async function fullServer(): Promise<FullServer> {
  const socket = system.socket(AF_INET, SOCK_STREAM, 0);
  // struct sockaddr_in: the family, the port, the address 127.0.0.1, padding.
  const address = new Uint8Array([AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  const length = new Uint32Array([address.length]);
  if (system.bind(socket, ptr(address), address.length) !== 0) throw new Error("bind failed");
  if (system.listen(socket, BACKLOG) !== 0) throw new Error("listen failed");
  system.getsockname(socket, ptr(address), ptr(length));
  const port = new DataView(address.buffer).getUint16(2);
  const filling = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      filling.terminate();
      system.close(socket);
    },
  };
}
