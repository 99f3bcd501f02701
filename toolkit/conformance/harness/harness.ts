import { parseYaml } from "../../../config/document/parse.ts";
import { checkValue } from "../../../config/check.ts";
import type { CheckResult } from "../../../config/check.ts";
import type {
  ChatRequest,
  JsonObject,
  Model,
  Upstream,
  UpstreamPlugin,
} from "../../../src/contract/index.ts";
import { Asked } from "./test-request.ts";
import type { Outcome } from "./test-request.ts";
import type { Fixtures, TestUpstream } from "../fixtures/fixtures.ts";
import { TestCall, TestHost, TestStorage } from "./test-call.ts";
import { scenarioOf } from "../fixtures/scenarios.ts";
import type { Scenario, ScenarioName } from "../fixtures/scenarios.ts";
import { Broken, inWords, quoted } from "./verdict.ts";
import { comesTrue, LATE, pause, within } from "./timing.ts";

// A plugin that doesn't let go has been told so by then.
const LEAVING_MS = 100;

/** A plugin under test, and what is needed to put it to a rule. */
export class Bench {
  readonly plugin: UpstreamPlugin;
  readonly fixtures: Fixtures;
  /** How long anything may take that should happen at once, in milliseconds. */
  readonly patience: number;

  constructor(plugin: UpstreamPlugin, fixtures: Fixtures, patience: number) {
    this.plugin = plugin;
    this.fixtures = fixtures;
    this.patience = patience;
  }

  /** The options as the gateway reads them from a file. */
  checked(options: JsonObject): CheckResult {
    const { document } = parseYaml("options", JSON.stringify(options));
    return checkValue(this.plugin.options, options, { document, path: [] });
  }

  /** Starts the author's upstream for a scenario. */
  async play(name: ScenarioName): Promise<TestUpstream> {
    return this.fixtures.upstream(scenarioOf(name));
  }

  /** Opens the plugin for an upstream that runs, without starting it. */
  async open(played: TestUpstream, storage = new TestStorage()): Promise<Opened> {
    const { value, problems, secrets } = this.checked(played.options);
    if (problems.length > 0) {
      throw new Broken(
        `the options of the fixtures don't fit: ${problems.map(({ message }) => message).join("; ")}`,
      );
    }
    const host = new TestHost(storage, this.patience);
    try {
      const opening = Promise.resolve(this.plugin.open(value as never, host.host));
      const upstream = await within(opening, this.patience);
      if (upstream === LATE) throw new Broken(`open() took longer than ${this.patience} ms`);
      return new Opened({ bench: this, upstream, host, storage, optionSecrets: secrets });
    } catch (error) {
      await host.close();
      throw error instanceof Broken ? error : new Broken(`open() threw ${inWords(error)}`);
    }
  }

  /** Plays a scenario to the plugin, opened and started; closes and stops everything afterwards. */
  async on<T>(what: ScenarioName | Scenario, work: (stage: Stage) => Promise<T>): Promise<T> {
    const scenario = typeof what === "string" ? scenarioOf(what) : what;
    await using played = await this.fixtures.upstream(scenario);
    const opened = await this.open(played);
    try {
      await opened.start();
      return await work({ opened, played, scenario, ask: (more) => opened.ask(more) });
    } finally {
      await opened.leaveAll();
      await opened.host.close();
    }
  }

  /** One life of the plugin with one whole answer, for an upstream that plays `text`. */
  async live(played: TestUpstream, storage: TestStorage): Promise<Opened> {
    const opened = await this.open(played, storage);
    try {
      await opened.start();
      expectText(await opened.ask().all(), scenarioOf("text").answer.text);
      return opened;
    } finally {
      await opened.host.close();
    }
  }

  /** The whole of one answer in a scenario. */
  async answerIn(name: ScenarioName, more: Partial<ChatRequest> = {}): Promise<Outcome> {
    return this.on(name, ({ ask }) => ask(more).all());
  }
}

/** A scenario that runs, and the plugin opened for it. */
export interface Stage {
  readonly scenario: Scenario;
  readonly played: TestUpstream;
  readonly opened: Opened;
  /** Sends a request with one user message, streamed unless told otherwise. */
  readonly ask: (more?: Partial<ChatRequest>) => Asked;
}

interface Parts {
  readonly bench: Bench;
  readonly upstream: Upstream;
  readonly host: TestHost;
  readonly storage: TestStorage;
  readonly optionSecrets: readonly string[];
}

/** An upstream that was opened, and what it has done with its host. */
export class Opened {
  readonly upstream: Upstream;
  readonly host: TestHost;
  readonly storage: TestStorage;
  /** The values of the options that are marked as secret. */
  readonly optionSecrets: readonly string[];
  readonly #bench: Bench;
  readonly #asked: Asked[] = [];

  constructor({ bench, upstream, host, storage, optionSecrets }: Parts) {
    this.upstream = upstream;
    this.host = host;
    this.storage = storage;
    this.optionSecrets = optionSecrets;
    this.#bench = bench;
  }

  async start(): Promise<void> {
    const starting = (async () => this.upstream.start?.())();
    if ((await within(starting, this.#bench.patience)) === LATE) throw new Broken("start() doesn't end");
  }

  /** The models, or what models() failed with. */
  async models(ms: number): Promise<readonly Model[] | Error> {
    const leaving = new AbortController();
    const listing = (async () => this.upstream.models(leaving.signal))();
    try {
      const listed = await within(listing, ms);
      if (listed !== LATE) return listed;
      leaving.abort(new DOMException("nobody waits for the list any more", "AbortError"));
      return new Error(`it took longer than ${ms} ms`);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** See `Stage`. `hasLeft`: the client is gone before the plugin is called. */
  ask(more: Partial<ChatRequest> = {}, hasLeft = false): Asked {
    const { fixtures, patience } = this.#bench;
    const messages = [{ role: "user", content: "Say something." }];
    const request: ChatRequest = { model: fixtures.model, messages, stream: true, ...more };
    const call = new TestCall(this.host.lines);
    if (hasLeft) call.abort();
    const asked = new Asked(this.upstream, request, { call, patience });
    this.#asked.push(asked);
    return asked;
  }

  /** Gives up what a check that failed has left open. */
  async leaveAll(): Promise<void> {
    for (const asked of this.#asked.filter(({ isOver }) => !isOver)) {
      asked.call.abort();
      await within(asked.leave(), LEAVING_MS);
    }
  }
}

/** Throws unless an answer is whole: no failure, and this text. */
export function expectText({ text, error, finishes }: Outcome, expected: string): void {
  if (error !== undefined) throw new Broken(`the answer failed with ${inWords(error)}`);
  if (text !== expected) throw new Broken(`the text is ${quoted(text)} and not ${quoted(expected)}`);
  if (finishes.length === 0) throw new Broken("the answer came in full and has no `finish`");
}

// Where the upstream can't be watched, the request has gone out by then.
const SENDING_MS = 20;

/** Whether the upstream comes to be at work on something within the kit's patience. */
export async function isAsked({ played }: Stage, patience: number): Promise<boolean> {
  if (played.active !== undefined) return comesTrue(() => (played.active ?? 0) > 0, patience);
  await pause(SENDING_MS);
  return true;
}

/** Throws unless the upstream is at work on nothing within the kit's patience. */
export async function expectIdle(played: TestUpstream, patience: number): Promise<void> {
  if (played.active === undefined || (await comesTrue(() => played.active === 0, patience))) return;
  throw new Broken(`${patience} ms later the upstream is still at work on it`);
}
