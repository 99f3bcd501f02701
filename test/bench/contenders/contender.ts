import type { Target } from "../client/job.ts";
import type { ServerProcess } from "../process.ts";

/** Every column that a table can have, in their order there. */
export const CONTENDERS = [
  "direct",
  "nginx",
  "raw-bun",
  "modelyard",
  "modelyard-hit",
  "modelyard-chat",
  "socket.io-client",
  "portkey",
] as const;
export type ContenderName = (typeof CONTENDERS)[number];

/** What stands between the load client and the stub, and can be measured. */
export interface Contender extends AsyncDisposable {
  readonly name: ContenderName;
  readonly target: Target;
  /** The process under test; without a gateway there is none. */
  readonly server?: ServerProcess;
}

/** A contender made of a running server; `headers` are those that its clients must send. */
export function contenderOf(
  name: ContenderName,
  { server, url }: { readonly server: ServerProcess; readonly url: string },
  headers: Readonly<Record<string, string>> = {},
): Contender & { readonly server: ServerProcess } {
  return {
    name,
    server,
    target: { port: portOf(url), headers },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** The port in an address such as `http://127.0.0.1:8088`. */
export function portOf(url: string): number {
  return Number(new URL(url).port);
}
