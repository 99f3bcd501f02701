import type { Socket } from "bun";

interface Client {
  /** What came before the tunnel stood. */
  head: string;
  tunnel: Socket<Socket<Client>> | undefined;
}

/**
 * An HTTP proxy: it answers requests for `http://` itself, as told, and opens tunnels for `https://`, which all lead to
 * one port of this machine. It writes down the first line of each request that it is sent.
 */
export class ForwardProxy implements Disposable {
  readonly #listener;
  readonly asked: string[] = [];
  /** What it sends back for a request that isn't CONNECT; undefined: it leads to a tunnel as well. */
  answer: string;
  /** What it sends back for CONNECT in place of a tunnel. */
  refusal: string | undefined;

  constructor(answer: string, tunnelPort: number) {
    this.answer = answer;
    this.#listener = Bun.listen<Client>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => void (socket.data = { head: "", tunnel: undefined }),
        data: (socket, bytes) => void this.#take(socket, bytes, tunnelPort),
        close: ({ data }) => void data.tunnel?.end(),
        error() {},
      },
    });
  }

  /** With a password. */
  get url(): string {
    return `http://user:proxy-secret@127.0.0.1:${this.port}`;
  }

  get port(): number {
    return this.#listener.port;
  }

  async #take(socket: Socket<Client>, bytes: Buffer, tunnelPort: number): Promise<void> {
    const { data } = socket;
    if (data.tunnel) return void data.tunnel.write(bytes);
    data.head += bytes.toString("latin1");
    if (!data.head.includes("\r\n\r\n")) return;
    const line = data.head.slice(0, data.head.indexOf("\r\n"));
    data.head = "";
    this.asked.push(line);
    if (!line.startsWith("CONNECT ")) return void socket.write(this.answer);
    if (this.refusal !== undefined) return void socket.end(this.refusal);
    data.tunnel = await Bun.connect<Socket<Client>>({
      hostname: "127.0.0.1",
      port: tunnelPort,
      data: socket,
      socket: {
        data: ({ data: client }, piece) => void client.write(piece),
        close: ({ data: client }) => void client.end(),
        error() {},
      },
    });
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
  }

  [Symbol.dispose](): void {
    this.#listener.stop(true);
  }
}
