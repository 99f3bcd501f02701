import { mutant } from "./mutants.ts";
import type { Mutant } from "./mutants.ts";

const FRAME = 'if (event !== "ping") yield frame(event, data, [...eventsOf(said)]);';

/** Faults of the plugin whose upstream speaks a client's API. */
export const SPOKEN: readonly Mutant[] = [
  mutant("the request is written anew", "7.1 own-request", "the client wrote", [
    [
      'const response = await ask(call, "/talk", request.json());',
      'const response = await ask(call, "/talk", { ...request.json() });',
    ],
  ]),
  mutant("a member that nobody knows is lost", "7.1 own-request", "the client wrote", [
    [
      'const response = await ask(call, "/talk", request.json());',
      'const response = await ask(call, "/talk", { ...request.json(), novel: undefined });',
    ],
  ]),
  mutant("a frame without meaning is lost", "7.2 own-frames", "frame 1 of", [
    [
      FRAME,
      "const events = [...eventsOf(said)];\n    if (events.length > 0) yield frame(event, data, events);",
    ],
  ]),
  mutant("a frame is written anew", "7.2 own-frames", "frame 1 of", [
    [FRAME, FRAME.replace("data,", "JSON.stringify({ event, ...said }),")],
  ]),
  mutant("frames have no names", "7.2 own-frames", "frame 1 of", [
    [FRAME, FRAME.replace("frame(event", 'frame("message"')],
  ]),
  mutant("pings are frames", "7.2 own-frames", "frame 2 of", [
    [FRAME, FRAME.replace('if (event !== "ping") ', "")],
  ]),
  mutant("a frame comes twice", "7.2 own-frames", "frame 3 of", [
    [FRAME, `${FRAME}\n    if (said.say) ${FRAME.slice(FRAME.indexOf("yield"))}`],
  ]),
  mutant("a document is a frame of another name", "7.2 own-frames", "frame 1 of 1", [
    ['"document"', '"message"'],
  ]),
  mutant("frames have no events", "7.3 same-events", "the text is", [
    [
      "yield* framesOf(response, request.stream, call);",
      'for await (const each of framesOf(response, request.stream, call)) yield { ...each, events: each.events.filter(({ type }) => type !== "text") };',
    ],
  ]),
  mutant("the usage is told to none but the client", "7.3 same-events", "the usage is", [
    [
      "yield* framesOf(response, request.stream, call);",
      'for await (const each of framesOf(response, request.stream, call)) yield { ...each, events: each.events.filter(({ type }) => type !== "usage") };',
    ],
  ]),
  mutant("a failure is a frame", "7.4 own-ends", "failure as a frame", [
    ['throw new UpstreamError("failed", oops);', "return;"],
    ["async function* framesOf", "void UpstreamError;\n\nasync function* framesOf"],
  ]),
  mutant("an end without the mark is a finish", "7.4 own-ends", "has a `finish`", [
    [
      'throw new UpstreamError("truncated", "the answer broke off");',
      'yield frame("end", "{}", [{ type: "finish", reason: "stop" }]);',
    ],
  ]),
  mutant("a frame comes behind the finish", "7.5 own-last", "behind the frame with the finish", [
    ["if (said.done) return;", 'if (said.done) return yield frame("late", "{}", []);'],
  ]),
  mutant("tokens are counted by a rule of thumb", "7.6 count", "countTokens() gave", [
    ["return counted.tokens;", "return counted.tokens + 1;"],
  ]),
  mutant("a refused count is a bad response", "7.6 count", "`bad-response`", [
    ["async countTokens(request, call) {", "async countTokens(request, call) {\n        try {"],
    [
      "return counted.tokens;",
      'return counted.tokens;\n        } catch (error) {\n          throw new UpstreamError("bad-response", "it can\'t count", { cause: error });\n        }',
    ],
  ]),
];
