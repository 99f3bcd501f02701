import { tries } from "./forward-gateway.ts";
import type { GatewayOptions, RunningGateway } from "./gateway.ts";
import { startGateway } from "./gateway.ts";
import type { Emulator } from "./langfast-emulator/index.ts";
import { startEmulator } from "./langfast-emulator/index.ts";

/** A gateway whose only upstream, `langfast`, speaks to an emulator; `await using` stops both. */
export interface LangfastGateway extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly gateway: RunningGateway;
  status(): LangfastStatus;
}

/** What the upstream tells of itself, as far as tests read it. */
export interface LangfastStatus {
  readonly sockets: { readonly open: number; readonly connecting: number; readonly runs: number };
  readonly credentials: {
    readonly waiting: number;
    readonly credentials: readonly { readonly state: string; readonly leases: number }[];
  };
}

export interface LangfastGatewayOptions extends GatewayOptions {
  /** The upstream's `timeouts`. */
  readonly timeouts?: string;
  /** Its `credentials`. Default: one, made when it is needed. */
  readonly credentials?: string;
}

/** Starts an emulator and a gateway in front of it. */
export async function startLangfast(options: LangfastGatewayOptions = {}): Promise<LangfastGateway> {
  const { timeouts = "{}", credentials = "{ min: 0, max: 1 }", ...rest } = options;
  const emulator = await startEmulator();
  const gateway = await startGateway(langfastYaml(emulator, credentials, timeouts), rest).catch(
    async (error: unknown) => {
      await emulator[Symbol.asyncDispose]();
      throw error;
    },
  );
  return {
    emulator,
    gateway,
    status: () => gateway.gateway.upstreams.get("langfast")?.upstream.status?.() as unknown as LangfastStatus,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await emulator[Symbol.asyncDispose]();
    },
  };
}

/** A gateway.yaml with this emulator, asked once for each request. */
export function langfastYaml(emulator: Emulator, credentials: string, timeouts = "{}"): string {
  return `${tries(1)}upstreams:
  langfast:
    plugin: langfast
    timeouts: ${timeouts}
    options:
      anon_key: ${emulator.anonKey}
      supabase_url: ${emulator.supabaseUrl}
      socket_url: ${emulator.socketUrl}
      credentials: ${credentials}
`;
}
