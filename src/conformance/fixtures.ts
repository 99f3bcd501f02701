import type { Json, JsonObject } from "../contract/index.ts";
import type { Scenario, ScenarioName } from "./scenarios.ts";

/** What an author supplies so that his plugin can be tested: an upstream of his own that plays scenarios. */
export interface Fixtures {
  /** A model that the upstream has. */
  readonly model: string;
  /** Starts an upstream on this machine that plays the scenario until it is disposed of. */
  upstream(scenario: Scenario): TestUpstream | Promise<TestUpstream>;
  /** What doesn't apply to this upstream, and why; the report names it. A rule's id may stand here, too. */
  readonly unsupported?: Readonly<Record<string, string>> & { readonly [name in ScenarioName]?: string };
  /** False where the upstream gives each answer whole, so that no event can come in the middle of one. Default true. */
  readonly streams?: boolean;
  /** Request fields that the plugin honours in a way of its own, so that neither they nor their values are looked for; with how. */
  readonly handled?: Readonly<Record<string, string>>;
  /** What the upstream gets for a field's value where it counts differently; a list is looked for item by item. */
  readonly translated?: Readonly<Record<string, (value: Json) => Json>>;
}

/** An upstream that plays one scenario, and what it saw. */
export interface TestUpstream extends AsyncDisposable {
  /** The plugin's options for this upstream, as they would stand in gateway.yaml. */
  readonly options: JsonObject;
  /** How many answers it is at work on now. A run that nobody has cancelled is one. Without it only the plugin is watched. */
  readonly active?: number;
  /**
   * What it has been asked so far, whole requests as text, in their order. Leave out what numbers itself: ids,
   * tickets, times; and requests that only wait for an answer. Between two equal requests it should be the same.
   */
  readonly received: readonly string[];
  /** Connections that it has accepted so far; without it `open` is only watched for `fetch` and requests. */
  readonly accepted?: number;
  /** Connections that are open now and must be gone once the plugin is closed. Not for HTTP, which keeps some. */
  readonly connections?: number;
  /** Bytes of answers that it has got rid of so far; the scenario `endless` needs it. */
  readonly sent?: number;
  /** Credentials that it has made so far, where plugins sign up by themselves. */
  readonly signUps?: number;
  /** Secrets that it has handed out so far: tokens, session keys. */
  readonly secrets?: readonly string[];
  /**
   * Sends to all answers under way what the upstream sends to keep them alive, such as a ping, and gives their number.
   * Leave it out where it sends nothing of the kind. `httpUpstream` sends a comment within event streams.
   */
  ping?(): number;
  /** Makes the credentials of today worthless; refreshed or new ones are good. */
  expire?(): void;
}
