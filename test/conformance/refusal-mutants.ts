import { mutant } from "./mutants.ts";
import type { Mutant } from "./mutants.ts";

const POST = 'const response = await post(call, { ...to("/chat"), body });';

/** The answer's failure made into another one. */
function failing(made: string): Mutant["edits"][number] {
  return [
    POST,
    `const response = await post(call, { ...to("/chat"), body }).catch((error: UpstreamError) => {
          throw ${made};
        });`,
  ];
}

/** Faults of the plugin over HTTP and event streams in what it makes of refusals, ends and lists. */
export const REFUSALS: readonly Mutant[] = [
  mutant("a filter's end is a stop", "1.8 withheld", 'finished with "stop"', [
    ["reason: done }", 'reason: done === "length" ? done : "stop" }'],
  ]),
  mutant("the last text is dropped", "2.13 last-text", "the text is", [
    ["if (say) yield", "if (say && !done) yield"],
  ]),
  mutant("the last text is said twice", "2.13 last-text", "the text is", [
    ["if (say) yield", 'if (say && done) yield { type: "text", text: say };\n  if (say) yield'],
  ]),
  mutant("a text that is said again is dropped", "1.1 text", "the text is", [
    [
      "const said = parsed(data);",
      "const said = parsed(data);\n          if (data === before) continue;\n          before = data;",
    ],
    ["for await (", "let before = '';\n        for await ("],
  ]),
  mutant("a filter's refusal is the credential's", "2.14 filtered", "should be content-filter", [
    failing('new UpstreamError(error.code === "content-filter" ? "rejected" : error.code, error.message)'),
  ]),
  mutant("a filter's refusal is an answer", "2.14 filtered", "the request didn't fail", [
    [
      POST,
      `const filtered = (error: UpstreamError) => {
          if (error.code !== "content-filter") throw error;
          return undefined;
        };
        const response = await post(call, { ...to("/chat"), body }).catch(filtered);
        if (!response) return yield { type: "finish", reason: "stop" };`,
    ],
  ]),
  mutant("the filter's words are swallowed", "2.14 filtered", "the upstream's message is", [
    failing('error.code === "content-filter" ? new UpstreamError("content-filter", "no") : error'),
  ]),
  mutant("a request that is too large is a bad one", "2.15 oversized", "should be too-large", [
    failing('new UpstreamError(error.code === "too-large" ? "bad-request" : error.code, error.message)'),
  ]),
  mutant("nobody there is a failure of the upstream", "2.16 unreachable", "should be unreachable", [
    failing('new UpstreamError(error.code === "unreachable" ? "unavailable" : error.code, error.message)'),
  ]),
  mutant("a model that failed is a failed upstream", "2.17 given-up", "should be model-failed", [
    ['"model-failed"', '"failed"'],
  ]),
  mutant("a model that failed has finished", "2.17 given-up", "the request didn't fail", [
    [
      'if (lost) throw new UpstreamError("model-failed", "the model lost its thread");',
      'if (lost) return yield { type: "finish", reason: "stop" };',
    ],
  ]),
  mutant("spent credit is a limit", "5.8 spent", "should be out-of-credit", [
    failing('new UpstreamError(error.code === "out-of-credit" ? "rate-limited" : error.code, error.message)'),
  ]),
  mutant("when the credit is back is lost", "5.8 spent", "retryAfterMs is missing", [
    failing("new UpstreamError(error.code, error.message)"),
  ]),
  mutant("the message is cut", "5.9 uncut", "is in an error", [
    failing("new UpstreamError(error.code, error.message.slice(0, 500))"),
  ]),
  mutant("the message is cut within a stream", "5.9 uncut", "`failing` a part of", [
    ['new UpstreamError("failed", oops)', 'new UpstreamError("failed", oops.slice(0, 300))'],
  ]),
  mutant("a cut message is logged", "5.9 uncut", "is in a log line", [
    failing("(host.log.warn(error.message.slice(0, 200)), error)"),
  ]),
  mutant(
    "only the first page of models is read",
    "6.9 pages",
    "lacks models of the upstream's list: page-2",
    [["path = page.next && `/models?after=${page.next}`;", "break;"]],
  ),
  mutant("an abort is only heard while it is waited for", "4.16 late", "before chat() was called", [
    [
      POST,
      `const sending = new AbortController();
        call.signal.addEventListener("abort", () => sending.abort(call.signal.reason));
        const response = await post({ ...call, signal: sending.signal }, { ...to("/chat"), body });`,
    ],
  ]),
];
