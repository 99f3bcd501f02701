/** The texts of a rule. */
export interface RuleText {
  readonly title: string;
  readonly why: string;
  /** The section of docs/plugins.md. */
  readonly part: string;
}

/** The rules of levels 1 to 3: content and end of answers. */
export const ANSWER_RULES = {
  "1.1 text": {
    title: "a streamed answer's text arrives in full, each piece once and in order",
    why: "clients concatenate the pieces; nothing downstream can repair duplicated, lost or repeated text",
    part: "events-of-chat",
  },
  "1.2 plain": {
    title: "a request without `stream` gets the same text",
    why: "many clients never stream, and the gateway builds both forms from the same events",
    part: "events-of-chat",
  },
  "1.3 finish": {
    title: "the finish reason is the upstream's own: `length` stays `length`",
    why: "a client that reads `stop` takes a truncated answer for a complete one",
    part: "events-of-chat",
  },
  "1.4 usage": {
    title: "the tokens that the upstream reports arrive, streamed and not",
    why: "budgets and bills use them; missing counts are estimated",
    part: "events-of-chat",
  },
  "1.5 split": {
    title: "characters that the network splits are put together again",
    why: "most languages have multi-byte characters, and packets may end anywhere",
    part: "events-of-chat",
  },
  "1.6 reasoning": {
    title: "reasoning arrives as `reasoning`, separate from the text",
    why: "users would see it as part of the answer, or not at all",
    part: "events-of-chat",
  },
  "1.7 many": {
    title: "many answers at once don't mix",
    why: "a client would receive another client's answer",
    part: "events-of-chat",
  },
  "1.8 withheld": {
    title: "an answer that a filter stopped ends with `content_filter`, or fails with it",
    why: "with `stop` a truncated answer passes for a complete one, without a reason for its end",
    part: "events-of-chat",
  },
  "2.1 events": {
    title: "every event is one of the contract's",
    why: "the gateway ends an answer with an error at the first invalid event",
    part: "events-of-chat",
  },
  "2.2 finish-once": {
    title: "each choice has one `finish`, followed by `usage` only, and the stream ends",
    why: "clients stop reading at the finish; an answer that doesn't end holds its connection and its credential",
    part: "events-of-chat",
  },
  "2.3 cut": {
    title: "a connection that breaks makes the answer fail, without a `finish`",
    why: "a truncated answer would be taken for a complete one, cached and paid for",
    part: "ends-of-an-answer",
  },
  "2.4 truncated": {
    title: "a closed connection without the upstream's end mark is a truncated answer",
    why: "proxies and crashing servers close connections normally; only the end mark shows a complete answer",
    part: "ends-of-an-answer",
  },
  "2.5 garbage": {
    title: "data that isn't in the upstream's format makes the answer fail",
    why: "it would be skipped without notice, and a part of the answer with it",
    part: "ends-of-an-answer",
  },
  "2.6 failing": {
    title: "a failure within a stream is thrown with the upstream's message, and isn't text",
    why: "a client can't distinguish an error message within the answer from the answer",
    part: "failures",
  },
  "2.7 broken": {
    title:
      "a failure in place of an answer is thrown as `failed` or `unavailable`, with the upstream's message",
    why: "the code decides whether another upstream is tried; users need the message to find the cause",
    part: "failures",
  },
  "2.8 incremental": {
    title: "the first piece arrives before the upstream has ended",
    why: "users watch the answer grow; a buffered stream is only a slow plain answer",
    part: "events-of-chat",
  },
  "2.9 bounded": {
    title: "an upstream that sends faster than the client reads is slowed down or disconnected",
    why: "one slow client would fill the gateway's memory",
    part: "cancellation",
  },
  "2.10 plain-ends": {
    title: "a plain answer that is truncated or invalid makes the request fail",
    why: "an empty or truncated answer would be sent with status 200",
    part: "ends-of-an-answer",
  },
  "2.11 alive": {
    title: "the upstream's keep-alive messages are reported by `call.alive()`",
    why: "a model that thinks for minutes sends only pings; without them the gateway's idle timeout ends the answer",
    part: "events-of-chat",
  },
  "2.12 late-text": {
    title: "what an upstream sends after its finish reason isn't lost",
    why: "some servers send a reason with every piece: the rest would be dropped, and the beginning pass for a complete answer",
    part: "ends-of-an-answer",
  },
  "2.13 last-text": {
    title: "text in the same piece as the finish reason arrives once",
    why: "many servers end like that: the last words would be dropped or repeated",
    part: "events-of-chat",
  },
  "2.14 filtered": {
    title:
      "a prompt that the upstream's filter refuses fails with `content-filter` and the upstream's message",
    why: "with another code one client's prompt takes the credential or the model out of use",
    part: "failures",
  },
  "2.15 oversized": {
    title: "a request that is too large for the upstream fails with `too-large`",
    why: "only then is the next upstream tried, which may accept it",
    part: "failures",
  },
  "2.16 unreachable": {
    title: "a refused connection fails with `unreachable`",
    why: "only then is the whole upstream taken out of use at once, instead of one model after the other",
    part: "failures",
  },
  "2.17 given-up": {
    title: "a finish reason with which the model failed makes the answer fail with `model-failed`",
    why: "as a normal end it passes half an answer for a complete one; with another code one prompt takes the model out of use",
    part: "failures",
  },
  "3.1 tool-calls": {
    title: "tool calls arrive with their names and arguments, numbered from 0 in their order",
    why: "clients assemble calls by index; a wrong one mixes two calls",
    part: "tools-and-parameters",
  },
  "3.2 plain-tool-calls": {
    title: "a request without `stream` gets the same tool calls",
    why: "most agents don't stream their tool calls",
    part: "tools-and-parameters",
  },
  "3.3 messages": {
    title: "every message and part reaches the upstream, is reported as ignored, or is refused",
    why: "a model that didn't get the picture, or the tool's result, invents an answer",
    part: "tools-and-parameters",
  },
  "3.4 fields": {
    title: "every field of a request reaches the upstream, is reported as ignored, or is refused",
    why: "a parameter dropped without notice is found weeks later, by its effect on answers",
    part: "tools-and-parameters",
  },
  "3.5 values": {
    title:
      "what reaches the upstream has the value that the client gave, or what the fixtures translate it to",
    why: "the answer would be made with other settings than the client's",
    part: "tools-and-parameters",
  },
  "3.6 digits": {
    title: "numbers that JavaScript can't represent keep their digits, in tool calls and in requests",
    why: "a tool would be called with the id of another row",
    part: "tools-and-parameters",
  },
  "3.7 history": {
    title: "a history is accepted, with each result at its call, or refused with the field in `param`",
    why: "a history doesn't change: a refused conversation can't be continued, and a result at the wrong call gives a wrong answer",
    part: "tools-and-parameters",
  },
  "3.8 same-id": {
    title: "two calls under one id stay two calls, each with its own arguments",
    why: "an agent would run one of them twice, or one with the arguments of both",
    part: "tools-and-parameters",
  },
  "3.9 open-call": {
    title: "truncated arguments arrive unchanged, or make the answer fail",
    why: "the gateway rejects a call with invalid arguments; a repaired one would run with arguments that the model didn't give",
    part: "tools-and-parameters",
  },
  "3.10 usage-option": {
    title: "`stream_options.include_usage` is neither reported as ignored nor refused",
    why: "the gateway itself gives the usage chunk; a client would be told that it gets none",
    part: "tools-and-parameters",
  },
} as const satisfies Record<string, RuleText>;
