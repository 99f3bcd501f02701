import { ServerProcess } from "../process.ts";
import { contenderOf, portOf } from "./contender.ts";
import type { Contender, ContenderName } from "./contender.ts";
import { CACHE_ALL, NO_CACHE, startModelyard, stubUpstream } from "./modelyard.ts";
import { startNginx } from "./nginx.ts";
import { startPortkey } from "./portkey.ts";

/** Those that stand in front of the stub. */
export type FrontName = Exclude<ContenderName, "socket.io-client">;

/** Starts a contender in front of the stub. */
export async function startContender(name: FrontName, stubUrl: string): Promise<Contender> {
  switch (name) {
    case "direct":
      return { name, target: { port: portOf(stubUrl), headers: {} }, async [Symbol.asyncDispose]() {} };
    case "nginx":
      return startNginx(stubUrl);
    case "raw-bun":
      return startRawBun(stubUrl);
    case "modelyard":
    case "modelyard-chat":
      return startModelyard(name, NO_CACHE + stubUpstream(stubUrl));
    case "modelyard-hit":
      return startModelyard(name, CACHE_ALL + stubUpstream(stubUrl));
    case "portkey":
      return startPortkey(stubUrl);
  }
}

async function startRawBun(stubUrl: string): Promise<Contender> {
  const command = [process.execPath, "test/bench/raw-bun.ts", stubUrl];
  return contenderOf("raw-bun", await ServerProcess.listening(command));
}
