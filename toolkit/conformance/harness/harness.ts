import { parseYaml } from "../../../config/document/parse.ts";
import { checkValue } from "../../../config/check.ts";
import type { CheckResult } from "../../../config/check.ts";
import type {
  ChatRequest,
  ChatStream,
  JsonObject,
  Model,
  Upstream,
  UpstreamPlugin,
} from "../../../src/contract/index.ts";
import { TestRequest } from "./test-request.ts";
import type { CollectedAnswer } from "./test-request.ts";
import type { TestBody } from "./test-native-request.ts";
import { TestNativeRequest } from "./test-native-request.ts";
import type { Fixtures, NativeFixtures, TestUpstream } from "../upstreams/fixtures.ts";
import { TestCall, TestHost, TestStorage } from "./test-call.ts";
import { scenarioOf } from "../upstreams/scenarios.ts";
import type { Scenario, ScenarioName } from "../upstreams/scenarios.ts";
import { RuleViolation, describeError, quoted } from "./verdict.ts";
import { becomesTrue, TIMED_OUT, pause, withTimeout } from "./timing.ts";

// How long clean-up waits for a plugin that ignores cancellation.
const CANCEL_MS = 100;

/** Opens a plugin under test, plays scenarios to it and collects its answers. */
export class Harness {
  readonly plugin: UpstreamPlugin;
  readonly fixtures: Fixtures;
  /** Time limit of each step that should take no time, in milliseconds. */
  readonly patience: number;

  constructor(plugin: UpstreamPlugin, fixtures: Fixtures, patience: number) {
    this.plugin = plugin;
    this.fixtures = fixtures;
    this.patience = patience;
  }

  /** Validates options as the gateway does when it reads them from a file. */
  checkOptions(options: JsonObject): CheckResult {
    const { document } = parseYaml("options", JSON.stringify(options));
    return checkValue(this.plugin.options, options, { document, path: [] });
  }

  /** Starts the author's upstream for a scenario. */
  async startUpstream(name: ScenarioName): Promise<TestUpstream> {
    return this.fixtures.upstream(scenarioOf(name));
  }

  /** Opens the plugin for a running upstream, without calling start(). */
  async open(played: TestUpstream, storage = new TestStorage()): Promise<OpenedUpstream> {
    const { value, problems, secrets } = this.checkOptions(played.options);
    if (problems.length > 0) {
      throw new RuleViolation(
        `the options of the fixtures don't fit: ${problems.map(({ message }) => message).join("; ")}`,
      );
    }
    const host = new TestHost(storage, this.patience);
    try {
      const opening = Promise.resolve(this.plugin.open(value as never, host.host));
      const upstream = await withTimeout(opening, this.patience);
      if (upstream === TIMED_OUT) throw new RuleViolation(`open() took longer than ${this.patience} ms`);
      return new OpenedUpstream({ harness: this, upstream, host, storage, optionSecrets: secrets });
    } catch (error) {
      await host.close();
      throw error instanceof RuleViolation
        ? error
        : new RuleViolation(`open() threw ${describeError(error)}`);
    }
  }

  /** Runs `work` with an upstream that plays a scenario and the plugin started for it; closes both afterwards. */
  async play<T>(what: ScenarioName | Scenario, work: (play: Play) => Promise<T>): Promise<T> {
    const scenario = typeof what === "string" ? scenarioOf(what) : what;
    await using played = await this.fixtures.upstream(scenario);
    await using opened = await this.open(played);
    await opened.start();
    return await work({ opened, played, scenario, ask: (more) => opened.ask(more) });
  }

  /** Opens and starts the plugin, expects one complete answer of the scenario `text`, and closes it. */
  async openAndAnswer(played: TestUpstream, storage: TestStorage): Promise<void> {
    await using opened = await this.open(played, storage);
    await opened.start();
    expectText(await opened.ask().readAll(), scenarioOf("text").answer.text);
  }

  /** Collects one complete answer in a scenario. */
  async answer(name: ScenarioName, more: Partial<ChatRequest> = {}): Promise<CollectedAnswer> {
    return this.play(name, ({ ask }) => ask(more).readAll());
  }
}

/** A running scenario and the plugin opened for it. */
export interface Play {
  readonly scenario: Scenario;
  readonly played: TestUpstream;
  readonly opened: OpenedUpstream;
  /** Sends a request with one user message. It streams unless `more` says otherwise. */
  readonly ask: (more?: Partial<ChatRequest>) => TestRequest;
}

interface OpenedParts {
  readonly harness: Harness;
  readonly upstream: Upstream;
  readonly host: TestHost;
  readonly storage: TestStorage;
  readonly optionSecrets: readonly string[];
}

/** An opened upstream, with everything it did with its host. Disposing cancels its requests and closes it. */
export class OpenedUpstream implements AsyncDisposable {
  readonly upstream: Upstream;
  readonly host: TestHost;
  readonly storage: TestStorage;
  /** The values of the options that are marked as secret. */
  readonly optionSecrets: readonly string[];
  readonly #harness: Harness;
  readonly #requests: TestRequest[] = [];

  constructor({ harness, upstream, host, storage, optionSecrets }: OpenedParts) {
    this.upstream = upstream;
    this.host = host;
    this.storage = storage;
    this.optionSecrets = optionSecrets;
    this.#harness = harness;
  }

  async start(): Promise<void> {
    const starting = (async () => this.upstream.start?.())();
    if ((await withTimeout(starting, this.#harness.patience)) === TIMED_OUT)
      throw new RuleViolation("start() doesn't end");
  }

  /** Returns the models, or the error of models(). */
  async models(ms: number): Promise<readonly Model[] | Error> {
    const leaving = new AbortController();
    const listing = (async () => this.upstream.models(leaving.signal))();
    try {
      const listed = await withTimeout(listing, ms);
      if (listed !== TIMED_OUT) return listed;
      leaving.abort(new DOMException("nobody waits for the list any more", "AbortError"));
      return new Error(`it took longer than ${ms} ms`);
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Sends a request, see `Play.ask`. `hasLeft`: the client has disconnected before the plugin is called. */
  ask(more: Partial<ChatRequest> = {}, hasLeft = false): TestRequest {
    const { fixtures, patience } = this.#harness;
    const messages = [{ role: "user", content: "Say something." }];
    const chat: ChatRequest = { model: fixtures.model, messages, stream: true, ...more };
    const call = new TestCall(this.host.lines);
    if (hasLeft) call.abort();
    return this.#track(new TestRequest(() => this.upstream.chat(chat, call.call), { call, patience }));
  }

  /** Sends a request in the upstream's own API. */
  askNatively(body: TestBody, { dialect }: NativeFixtures): TestRequest {
    const call = new TestCall(this.host.lines, body);
    const { native } = this.upstream;
    const ask = () => native?.[dialect]?.(new TestNativeRequest(body, dialect), call.call) ?? NOTHING;
    return this.#track(new TestRequest(ask, { call, patience: this.#harness.patience }));
  }

  #track(request: TestRequest): TestRequest {
    this.#requests.push(request);
    return request;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A failed check leaves its requests open.
    for (const request of this.#requests.filter(({ isDone }) => !isDone)) {
      request.call.abort();
      await withTimeout(request.cancel(), CANCEL_MS);
    }
    await this.host.close();
  }
}

/** The answer of an upstream without `native`. */
const NOTHING: ChatStream = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
};

/** Throws unless an answer is complete, without an error, and has this text. */
export function expectText({ text, error, finishes }: CollectedAnswer, expected: string): void {
  if (error !== undefined) throw new RuleViolation(`the answer failed with ${describeError(error)}`);
  if (text !== expected) throw new RuleViolation(`the text is ${quoted(text)} and not ${quoted(expected)}`);
  if (finishes.length === 0) throw new RuleViolation("the complete answer has no `finish`");
}

// For upstreams without `active`: the time until a request has been sent.
const SENDING_MS = 20;

/** Returns whether the upstream receives a request within the time limit. */
export async function receivesRequest({ played }: Play, patience: number): Promise<boolean> {
  if (played.active !== undefined) return becomesTrue(() => (played.active ?? 0) > 0, patience);
  await pause(SENDING_MS);
  return true;
}

/** Throws unless the upstream has no active request within the time limit. */
export async function expectIdle(played: TestUpstream, patience: number): Promise<void> {
  if (played.active === undefined || (await becomesTrue(() => played.active === 0, patience))) return;
  throw new RuleViolation(`${patience} ms later the upstream is still working on it`);
}
