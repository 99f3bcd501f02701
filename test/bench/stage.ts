import { startContender } from "./contenders/start.ts";
import type { FrontName } from "./contenders/start.ts";
import type { Contender } from "./contenders/contender.ts";
import { portOf } from "./contenders/contender.ts";
import type { Target } from "./client/job.ts";
import { LoadClient } from "./load-client.ts";
import { ServerProcess } from "./process.ts";

/** A scenario's processes: the stub, the load client, and the contenders, all started afresh. */
export class Stage implements AsyncDisposable {
  readonly client: LoadClient;
  readonly stubUrl: string;
  readonly #owned: AsyncDisposableStack;

  private constructor(owned: AsyncDisposableStack, client: LoadClient, stubUrl: string) {
    this.#owned = owned;
    this.client = client;
    this.stubUrl = stubUrl;
  }

  static async open(): Promise<Stage> {
    await using owned = new AsyncDisposableStack();
    const { server, url } = await ServerProcess.listening([process.execPath, "test/bench/stub/main.ts"]);
    owned.use(server);
    const client = owned.use(new LoadClient());
    return new Stage(owned.move(), client, url);
  }

  /** Where the stub is asked directly. */
  get stub(): Target {
    return { port: portOf(this.stubUrl), headers: {} };
  }

  /** Starts a contender; it is stopped with the rest. */
  async start(name: FrontName): Promise<Contender> {
    return this.own(await startContender(name, this.stubUrl));
  }

  /** Starts several. */
  async startAll(names: readonly FrontName[]): Promise<readonly Contender[]> {
    const started: Contender[] = [];
    for (const name of names) started.push(await this.start(name));
    return started;
  }

  /** Stops it with the rest. */
  own<T extends AsyncDisposable>(it: T): T {
    return this.#owned.use(it);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
