import { dlopen, ptr } from "bun:ffi";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/*
 * Bounds the kernel's buffers for clients that don't read. Its defaults are up to 4 MB towards a client
 * (net.ipv4.tcp_wmem) and 6 MB from an upstream (tcp_rmem), which a fast upstream fills at once: 800 MB and two seconds
 * of work for 200 slow readers. Bun has no option for them, so they are set on the descriptors, on Linux. The plain way
 * is to leave the defaults.
 */

/** Doubled by the kernel: 128 KiB still allow 1 MB/s over a path of 120 ms. */
const BUFFER_BYTES = 64 * 1024;

const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
/** The state LISTEN in /proc/net/tcp. */
const LISTENING = "0A";
const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];

/** Bounds the send buffers of connections to a port, which inherit them from the listener. */
export function boundSendBuffers(port: number): void {
  if (!setOption) return;
  const sockets = listenersOn(port);
  for (const fd of readdirSync("/proc/self/fd")) {
    if (sockets.has(linkOf(fd))) setOption(Number(fd), SO_SNDBUF);
  }
}

/** Bounds the receive buffer of an upstream's answer whose reader has fallen behind. */
export function boundReceiveBuffer(descriptor: number): void {
  setOption?.(descriptor, SO_RCVBUF);
}

/** Returns the listening sockets at a port, as /proc/self/fd names them. */
function listenersOn(port: number): ReadonlySet<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const sockets = new Set<string>();
  for (const table of ["tcp", "tcp6"]) {
    for (const line of linesOf(`/proc/self/net/${table}`)) {
      const [, address, , state, , , , , , inode] = line.trim().split(/\s+/);
      if (address?.endsWith(suffix) && state === LISTENING) sockets.add(`socket:[${inode}]`);
    }
  }
  return sockets;
}

/** Returns no lines where the file is missing: a kernel without IPv6 has no table of it. */
function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}

function linkOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // The one that listed the folder is closed by now.
    return "";
  }
}

type SetOption = (descriptor: number, option: number) => void;

const setOption = findSetOption();

/** Returns undefined where the system isn't Linux, or its C library is unknown. */
function findSetOption(): SetOption | undefined {
  if (process.platform !== "linux") return undefined;
  const bytes = new Int32Array([BUFFER_BYTES]);
  for (const library of LIBRARIES) {
    try {
      const { symbols } = dlopen(library, {
        setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
      });
      return (descriptor, option) =>
        void symbols.setsockopt(descriptor, SOL_SOCKET, option, ptr(bytes), bytes.byteLength);
    } catch {
      // Try the next one.
    }
  }
  return undefined;
}
