/**
 * What socket.io-client itself costs: a process that only receives frames, over one socket for each access
 * token, and counts them. `bun receiver.ts SOCKET_URL TOKEN…`; says "received N frames" whenever a run ends.
 * @module
 */
import { io } from "socket.io-client";

const [url = "", ...tokens] = process.argv.slice(2);
let frames = 0;

const connected = tokens.map((token) => {
  const socket = io(url, { transports: ["websocket"], forceNew: true, auth: { token } });
  socket.on("execution:chunk", () => frames++);
  socket.on("completion_finished", () => {
    frames++;
    process.stdout.write(`received ${frames} frames\n`);
  });
  return new Promise<void>((resolve) => socket.once("connect", resolve));
});

await Promise.all(connected);
console.log(`listens on ${url}`);
