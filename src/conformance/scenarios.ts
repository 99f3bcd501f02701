import type { FinishReason, ReasoningEvent, TextEvent, ToolCallEvent } from "../contract/index.ts";

/** What an upstream says in one answer, for the author to write in his upstream's own format. */
export interface Answer {
  /** Piece by piece, as it is to be streamed. Tool calls come as one event each, with their whole arguments. */
  readonly events: readonly AnswerEvent[];
  /** All text of `events`. */
  readonly text: string;
  /** All reasoning of `events`; empty in most answers. */
  readonly reasoning: string;
  /** The tool calls of `events`; none in most answers. */
  readonly toolCalls: readonly Required<Pick<ToolCallEvent, "id" | "name" | "arguments">>[];
  readonly finish: FinishReason;
  /** Tokens to be reported. */
  readonly usage: { readonly input: number; readonly output: number };
}

export type AnswerEvent = TextEvent | ReasoningEvent | ToolCallEvent;

/** Tokens that every answer of the kit reports, so that a count that arrives can't be a guess. */
const USAGE = { input: 1_234, output: 567 };

/** What the upstream says when it fails; a client must find it in the error, and never in the answer. */
export const COMPLAINT = "the upstream is on strike today";

/** What a 429 says of when to come back, in seconds. */
export const RETRY_AFTER_S = 7;

// Two equal pieces are two pieces.
const HELLO = ["Grüße ", "aus ", "東京", ", 🌍", "! ", "Ça va ", "ha ", "ha ", "bien?", "\nZweite Zeile."];

const PAGES = [
  ["page-1-model-a", "page-1-model-b"],
  ["page-2-model-a", "page-2-model-b"],
  ["page-3-model-a"],
];
const THOUGHTS = ["First I ", "think — ", "日本."];
/** Stands in a call's arguments; JavaScript has no such number. */
export const LONG_NUMBER = "2512292042121000001";

const CALLS = [
  { id: "call-a", name: "weather_of", arguments: `{"city":"Köln","days":3,"station":${LONG_NUMBER}}` },
  { id: "call-b", name: "time_in", arguments: '{"zone":"Asia/Tokyo","format":"\\"HH:mm\\""}' },
];
const ENDLESS = Array.from({ length: 64 }, () => "endless ".repeat(512));

/** What the upstream does in each scenario. What an upstream can't do is left out with `unsupported`. */
export const SCENARIOS = {
  text: "gives the answer in full, streamed or plain, whichever was asked for",
  split: "the same, streamed, but the network cuts every character that has several bytes between them",
  length: "the same with the finish reason `length`",
  withheld: "the same with the finish reason `content_filter`: a filter stopped it",
  joined: "the same, streamed, with the last text in one piece with the finish reason",
  reasoning: "gives reasoning and then text",
  tools: "calls two tools",
  silent: "takes the request and says nothing at all, for ever",
  begun: "begins to answer (with HTTP: the headers) and then says nothing, for ever",
  stall: "gives the first half of the answer and then nothing, for ever",
  cut: "gives the first half, and the connection breaks",
  end: "gives all but the mark of the end, and closes in an orderly way, as if that were all",
  garbage: "gives the first half and then something that isn't in its format, and closes",
  failing: "gives the first half and then reports in its own format that it has failed, with the complaint",
  broken: "says that it has failed (with HTTP: status 500), with the complaint, in place of an answer",
  refused: "refuses the credential (with HTTP: status 401), with the complaint",
  limited: "says that its limit is reached (with HTTP: status 429, `retry-after: 7`), with the complaint",
  filtered: "refuses the prompt for what it says (with HTTP: status 400), with the complaint",
  spent:
    "says that the credential's credit is spent, and when it is back (with HTTP: status 402, `retry-after: 7`), with the complaint",
  oversized: "says that the request is too large for it (with HTTP: status 413), with the complaint",
  pages: "gives the answer in full, and lists its models on the scenario's `pages`, each on request",
  endless: "talks on and on, as fast as it is read",
  "early-finish":
    "gives its finish reason with the first half, then the second half, and the reason once more",
  "same-id": "calls one tool twice, under one id if its calls have ids",
  "open-call": "begins a tool call and finishes with `tool_calls` within the JSON of its arguments, streamed",
} as const satisfies Record<string, string>;

export type ScenarioName = keyof typeof SCENARIOS;

/** One scenario that an upstream is to play. */
export interface Scenario {
  readonly name: ScenarioName;
  /** What it says, as far as it comes to that. In `endless` its events are to be repeated. */
  readonly answer: Answer;
  /** What it says when it fails. */
  readonly complaint: string;
  /** In `limited` and `spent`: when to come back, in seconds. */
  readonly retryAfterSeconds: number;
  /** In `pages`: the ids of the models on each page of the list. */
  readonly pages: readonly (readonly string[])[];
}

/** The scenario of this name. */
export function scenarioOf(name: ScenarioName): Scenario {
  return {
    name,
    answer: answerOf(name),
    complaint: COMPLAINT,
    retryAfterSeconds: RETRY_AFTER_S,
    pages: PAGES,
  };
}

/** What is said in scenarios that are about what is said; in all others it is the greeting. */
const SPECIAL: { readonly [name in ScenarioName]?: Answer } = {
  reasoning: answerWith([...THOUGHTS.map(reasoning), ...HELLO.map(text)], "stop"),
  tools: answerWith(
    CALLS.map((call, index) => ({ type: "tool-call", index, ...call })),
    "tool_calls",
  ),
  length: answerWith(HELLO.map(text), "length"),
  withheld: answerWith(HELLO.map(text), "content_filter"),
  endless: answerWith(ENDLESS.map(text), "stop"),
  "same-id": answerWith(
    ['{"city":"Köln"}', '{"city":"Porto"}'].map((json, index) => {
      return { type: "tool-call", index, id: "call-a", name: "weather_of", arguments: json };
    }),
    "tool_calls",
  ),
  "open-call": answerWith(
    [{ type: "tool-call", index: 0, id: "call-a", name: "weather_of", arguments: '{"city":"Kö' }],
    "tool_calls",
  ),
};

function answerOf(name: ScenarioName): Answer {
  return SPECIAL[name] ?? answerWith(HELLO.map(text), "stop");
}

function answerWith(events: readonly AnswerEvent[], finish: FinishReason): Answer {
  const all = (type: "text" | "reasoning") =>
    events.map((event) => (event.type === type ? event.text : "")).join("");
  const calls = events.filter((event) => event.type === "tool-call");
  const toolCalls = calls.map(({ id = "", name = "", arguments: json = "" }) => ({
    id,
    name,
    arguments: json,
  }));
  return { events, text: all("text"), reasoning: all("reasoning"), toolCalls, finish, usage: USAGE };
}

function text(said: string): AnswerEvent {
  return { type: "text", text: said };
}

function reasoning(said: string): AnswerEvent {
  return { type: "reasoning", text: said };
}
