import type { RuleId } from "modelyard/conformance";

/** A fault, seeded into a good plugin's text, and the rule by which it must be found. */
export interface Mutant {
  readonly name: string;
  readonly rule: RuleId;
  /** Words that must stand in what the report says of it. */
  readonly says: string;
  /** What is replaced by what; each must occur. */
  readonly edits: readonly (readonly [from: string, to: string])[];
}

/** Faults of the plugin over HTTP and event streams. */
export const WIRE: readonly Mutant[] = [
  mutant("text is cumulative", "1.1 text", "the text is", [
    [
      "yield* eventsOf(said);\n          if",
      "all += said.say ?? '';\n          yield* eventsOf({ ...said, say: all });\n          if",
    ],
    ["for await (", "let all = '';\n        for await ("],
  ]),
  mutant("the plain answer loses its last character", "1.2 plain", "the text is", [
    [
      "yield* eventsOf((await readJson(response, call.signal)) as Said);",
      "const whole = (await readJson(response, call.signal)) as Said;\n          yield* eventsOf({ ...whole, say: whole.say?.slice(0, -1) });",
    ],
  ]),
  mutant("every finish is a stop", "1.3 finish", "finished with `length`", [
    ["reason: done }", 'reason: "stop" }'],
  ]),
  mutant("usage is lost", "1.4 usage", "output nothing", [
    ["if (tokens) yield", "if (tokens && !done) yield"],
  ]),
  mutant("bytes are decoded packet by packet", "1.5 split", "the text is", [
    ["sse(response.body)", "sse(carelessly(response.body!))"],
    [
      "function parsed(",
      "function carelessly(body: ReadableStream<Uint8Array>) {\n  return body.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({ transform: (piece, to) => to.enqueue(new TextEncoder().encode(new TextDecoder().decode(piece))) }));\n}\n\nfunction parsed(",
    ],
  ]),
  mutant("reasoning is shown as text", "1.6 reasoning", "the text is", [
    ['type: "reasoning", text: think', 'type: "text", text: think'],
  ]),
  mutant("state of a request on the upstream", "1.7 many", "the text is", [
    ["let answers = 0;", "let answers = 0;\n    let queue: string[] = [];"],
    [
      "yield* eventsOf(said);\n",
      "queue.push(said.say ?? '');\n            await Bun.sleep(1);\n            yield* eventsOf({ ...said, say: queue.join('') });\n            queue = [];\n",
    ],
  ]),
  mutant("an event of another kind", "2.1 events", "not in the contract", [
    ["if (tokens) yield", 'yield { type: "ping" } as never;\n  if (tokens) yield'],
  ]),
  mutant("two finishes", "2.2 finish-once", "2 `finish` events", [
    ["if (done) yield", 'if (done) yield { type: "finish", reason: done };\n  if (done) yield'],
  ]),
  mutant("text after the finish", "2.2 finish-once", "after the `finish` comes", [
    ["reason: done };", 'reason: done };\n  if (done) yield { type: "text", text: "" };'],
  ]),
  mutant("a broken connection is a finish", "2.3 cut", "has a `finish`", [
    ["sse(response.body)", "untilBroken(sse(response.body))"],
    [
      "function parsed(",
      "async function* untilBroken<T>(events: AsyncIterable<T>) {\n  try {\n    yield* events;\n  } catch {}\n}\n\nfunction parsed(",
    ],
    [
      'throw new UpstreamError("truncated", "the answer broke off");',
      'yield { type: "finish", reason: "stop" };',
    ],
  ]),
  mutant("the raw network error gets out", "2.3 cut", "not an UpstreamError", [
    ["sse(response.body)", "asLines(response.body!)"],
    [
      "function parsed(",
      "async function* asLines(body: ReadableStream<Uint8Array>) {\n  for await (const piece of body) {\n    for (const line of Buffer.from(piece).toString().split('\\n\\n')) {\n      if (line) yield { data: line.slice(6) };\n    }\n  }\n}\n\nfunction parsed(",
    ],
  ]),
  mutant("an end without the mark is a finish", "2.4 truncated", "has a `finish`", [
    [
      'throw new UpstreamError("truncated", "the answer broke off");',
      'yield { type: "finish", reason: "stop" };',
    ],
  ]),
  mutant("garbage is skipped", "2.5 garbage", "ends without an error", [
    [
      'throw new UpstreamError("bad-response", "it said something that is no JSON", { cause: error });',
      "void error;\n    return {};",
    ],
    ['throw new UpstreamError("truncated", "the answer broke off");', "return;"],
  ]),
  mutant("an error within the stream is text", "2.6 failing", "in the answer's text", [
    ['throw new UpstreamError("failed", oops);', 'yield { type: "text", text: oops };'],
  ]),
  mutant("the upstream's words are swallowed", "2.6 failing", "the error is", [
    ['new UpstreamError("failed", oops)', 'new UpstreamError("failed", "it failed")'],
  ]),
  mutant("a failure is nobody's code", "2.7 broken", "not an UpstreamError", [
    [
      'const response = await post(call, { ...to("/chat"), body });',
      'const response = await post(call, { ...to("/chat"), body }).catch((error: Error) => {\n          throw new Error(error.message);\n        });',
    ],
  ]),
  mutant("the answer is collected first", "2.8 incremental", "chat() produced no event", [
    [
      "yield* eventsOf(said);\n          if (said.over) return;",
      "kept.push(...eventsOf(said));\n          if (said.over) break;",
    ],
    ["for await (", "const kept: ChatEvent[] = [];\n        for await ("],
    ['throw new UpstreamError("truncated", "the answer broke off");', "yield* kept;"],
  ]),
  mutant("what comes is read as fast as it comes", "2.9 bounded", "took", [
    ["sse(response.body)", "sse(greedily(response.body!))"],
    [
      "function parsed(",
      "function greedily(body: ReadableStream<Uint8Array>) {\n  return body.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({}, undefined, { highWaterMark: Infinity }));\n}\n\nfunction parsed(",
    ],
  ]),
  mutant("half a plain answer is an empty one", "2.10 plain-ends", "has a `finish`", [
    [
      "(await readJson(response, call.signal)) as Said",
      '(await response.json().catch(() => ({ say: "", done: "stop" }))) as Said',
    ],
  ]),
  mutant("all tool calls have one index", "3.1 tool-calls", "indexes are: 0", [
    ["index: n, id", "index: 0, id"],
  ]),
  mutant("plain tool calls are lost", "3.2 plain-tool-calls", "indexes are", [
    [
      "yield* eventsOf((await readJson(response, call.signal)) as Said);",
      "yield* eventsOf({ ...((await readJson(response, call.signal)) as Said), calls: [] });",
    ],
  ]),
  mutant("system messages are left out", "3.3 messages", "a system message", [
    [
      "{ ...request, greeting }",
      '{ ...request, messages: request.messages.filter(({ role }) => role !== "system"), greeting }',
    ],
  ]),
  mutant("a parameter is dropped", "3.4 fields", "dropped without notice: seed", [
    ["{ ...request, greeting }", "{ ...request, seed: undefined, greeting }"],
  ]),
  mutant("the option of the usage chunk is refused", "3.10 usage-option", "include_usage` was reported", [
    [
      "{ ...request, greeting }",
      "{ ...request, ...(request['stream_options'] != null && { stream_options: call.ignored('stream_options', 'unknown') }), greeting }",
    ],
  ]),
  mutant("a parameter is changed", "3.5 values", "0.25 didn't reach", [
    [
      "{ ...request, greeting }",
      "{ ...request, ...(request['temperature'] != null && { temperature: 1 }), greeting }",
    ],
  ]),
  mutant("cut arguments of a call throw", "3.7 history", "whose arguments were cut off ended the request", [
    [
      "{ ...request, greeting }",
      "{ ...request, calls: request.messages.flatMap((each) => (each['tool_calls'] as any[] ?? []).map((call) => JSON.parse(call.function.arguments))), greeting }",
    ],
  ]),
  mutant("results of one id are those of the last call", "3.7 history", "of two calls with one id", [
    [
      "const body =",
      "const names = new Map(request.messages.flatMap((each) => (each['tool_calls'] as any[] ?? []).map((call) => [call.id, call.function.name])));\n        const messages = request.messages.map((each) => each.role === 'tool' ? { ...each, name: names.get(each['tool_call_id']) } : each);\n        const body =",
    ],
    ["{ ...request, greeting }", "{ ...request, messages, greeting }"],
  ]),
  mutant("a blank message is refused without its place", "3.7 history", "without the field", [
    [
      "const body =",
      "if (request.messages.at(-1)?.content === ' ') throw new UpstreamError('unsupported', 'it is blank');\n        const body =",
    ],
  ]),
  mutant("the signal isn't handed on", "4.1 silent", "still waits", [
    [
      'await post(call, { ...to("/chat"), body })',
      'await post({ ...call, signal: new AbortController().signal }, { ...to("/chat"), body })',
    ],
  ]),
  mutant("a plain call isn't given up", "4.5 plain", "still waits", [
    [
      'await post(call, { ...to("/chat"), body })',
      'await post(request.stream ? call : { ...call, signal: host.signal }, { ...to("/chat"), body })',
    ],
  ]),
  mutant("the network in open", "4.8 open-network", "open() used the network", [
    ["let answers = 0;", "let answers = 0;\n    void host.fetch(base_url).catch(() => undefined);"],
  ]),
  mutant("writes in open", "4.9 open-writes", "wrote 1 times", [
    ["let answers = 0;", 'let answers = 0;\n    void host.storage.set("opened", true);'],
  ]),
  mutant("a timer goes on", "4.10 timers", "are pending after closing", [
    ["let answers = 0;", "let answers = 0;\n    setInterval(() => void answers, 60_000).unref();"],
  ]),
  mutant("a descriptor is left open", "4.11 descriptors", "are open", [
    ["let answers = 0;", 'let answers = 0;\n    const kept = openSync("/dev/null", "r");\n    void kept;'],
    ["import { get, post", 'import { openSync } from "node:fs";\nimport { get, post'],
  ]),
  mutant("the address is the module's", "4.15 instances", "went to the other one", [
    ["const to = (path", "shared = base_url;\n    const to = (path"],
    ["url: base_url + path", "url: shared + path"],
    ["const options =", 'let shared = "";\n\nconst options ='],
  ]),
  mutant("a clean-up fails", "4.12 closed", "clean-up failed", [
    ["let answers = 0;", 'let answers = 0;\n    host.defer(() => {\n      throw new Error("no");\n    });'],
  ]),
  mutant("a clean-up hangs", "4.12 closed", "doesn't end", [
    ["let answers = 0;", "let answers = 0;\n    host.defer(() => new Promise<void>(() => undefined));"],
  ]),
  mutant("a refused credential is a bad response", "5.1 refused", "`bad-response`", [
    [
      'const response = await post(call, { ...to("/chat"), body });',
      'const response = await post(call, { ...to("/chat"), body }).catch((error: UpstreamError) => {\n          throw new UpstreamError(error.code === "rejected" ? "bad-response" : error.code, error.message, { cause: error });\n        });',
    ],
  ]),
  mutant("retry-after is ignored", "5.2 limited", "retryAfterMs is missing", [
    [
      'const response = await post(call, { ...to("/chat"), body });',
      'const response = await post(call, { ...to("/chat"), body }).catch((error: UpstreamError) => {\n          throw new UpstreamError(error.code, error.message, { cause: error });\n        });',
    ],
  ]),
  mutant("a secret in the log", "5.6 unseen", "is in a log line", [
    ["{ model: request.model }", "{ model: request.model, headers }"],
  ]),
  mutant("a secret in the status", "5.6 unseen", "is in the status", [
    ["({ answers })", "({ answers, token })"],
  ]),
  mutant("a secret in an error", "5.6 unseen", "is in an error", [
    ['new UpstreamError("failed", oops)', 'new UpstreamError("failed", `${oops} (wire-token-0123456789)`)'],
  ]),
  mutant("a name with blanks", "6.1 manifest", "lower case letters", [['name: "wire"', 'name: "The Wire"']]),
  mutant("options that take anything", "6.2 strict", "takes any key", [
    ["{ additionalProperties: false }", "{}"],
  ]),
  mutant("an option without a description", "6.3 described", "options.greeting", [
    [
      'Type.String({ default: "hello", description: "How it is greeted." })',
      'Type.String({ default: "hello" })',
    ],
  ]),
  mutant("a default that doesn't fit", "6.4 defaults", "options.greeting", [
    ['Type.String({ default: "hello"', 'Type.String({ minLength: 9, default: "hello"'],
  ]),
  mutant("a secret that isn't marked", "6.5 marked", "options.token", [
    ["token: Secret(", "token: Type.String("],
  ]),
  mutant("a model listed twice", "6.6 models", "twice", [
    ["models.map((id) =>", "[...models, ...models].map((id) =>"],
  ]),
  mutant("a capability that is none", "6.6 models", "an unknown capability", [
    ["tools: true, context", "hearing: true, context"],
  ]),
  mutant("a capability in the wrong place", "6.6 models", "outside `capabilities`", [
    ["capabilities: { tools: true,", "tools: true, capabilities: {"],
  ]),
  mutant("a list of models that can't be given up", "6.7 models-abort", "still waits", [
    ["await get(to(path), signal)", "await get(to(path), new AbortController().signal)"],
  ]),
  mutant("a status that JSON can't say", "6.8 status", "JSON can't represent", [
    ["({ answers })", "({ answers, at: new Date() as never })"],
  ]),
];

/** A mutant in one line. */
export function mutant(name: string, rule: RuleId, says: string, edits: Mutant["edits"]): Mutant {
  return { name, rule, says, edits };
}
