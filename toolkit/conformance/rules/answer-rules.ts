/** What a rule says of itself. */
export interface RuleText {
  readonly title: string;
  readonly why: string;
  /** The part of docs/plugins.md. */
  readonly part: string;
}

/** Levels 1 to 3: what answers say, and how they end. */
export const ANSWER_RULES = {
  "1.1 text": {
    title: "a streamed answer's text arrives in full, each piece once and in order",
    why: "clients put the pieces together; text that is doubled, lost or said anew from the start can't be mended behind you",
    part: "what-chat-says",
  },
  "1.2 plain": {
    title: "a request without `stream` gets the same text",
    why: "half of all clients never stream, and the gateway makes both forms from the same events",
    part: "what-chat-says",
  },
  "1.3 finish": {
    title: "the finish reason is the upstream's own: `length` stays `length`",
    why: "a client that reads `stop` takes half an answer for a whole one",
    part: "what-chat-says",
  },
  "1.4 usage": {
    title: "the tokens that the upstream reports arrive, streamed and not",
    why: "budgets and bills are made of them; what is missing is estimated",
    part: "what-chat-says",
  },
  "1.5 split": {
    title: "characters that the network cuts in two are put together again",
    why: "every language but English has them, and a network may cut anywhere",
    part: "what-chat-says",
  },
  "1.6 reasoning": {
    title: "reasoning comes as `reasoning`, apart from the text",
    why: "it would be shown to users as the answer, or be lost",
    part: "what-chat-says",
  },
  "1.7 many": {
    title: "many answers at once don't mix",
    why: "somebody would read another client's answer",
    part: "what-chat-says",
  },
  "1.8 withheld": {
    title: "an answer that a filter stopped ends with `content_filter`, or fails with it",
    why: "sold as `stop`, half an answer passes for a whole one, and nobody learns why it ends",
    part: "what-chat-says",
  },
  "2.1 events": {
    title: "every event is one of the contract's",
    why: "events are written to clients without another look, so the gateway breaks the answer off at a wrong one",
    part: "what-chat-says",
  },
  "2.2 finish-once": {
    title: "each choice has one `finish`, then nothing but `usage`, and the stream ends",
    why: "clients stop reading at the finish; an answer that doesn't end holds its connection and its credential",
    part: "what-chat-says",
  },
  "2.3 cut": {
    title: "a connection that breaks makes the answer fail, without a `finish`",
    why: "half an answer would be taken for a whole one, cached and paid for",
    part: "honest-ends",
  },
  "2.4 truncated": {
    title: "an orderly close without the upstream's own end mark is no end",
    why: "proxies and crashing servers close like that every day; only the end mark tells a whole answer",
    part: "honest-ends",
  },
  "2.5 garbage": {
    title: "what isn't in the upstream's format makes the answer fail",
    why: "it would be skipped in silence, and a part of the answer with it",
    part: "honest-ends",
  },
  "2.6 failing": {
    title: "a failure within a stream is thrown, in the upstream's words, and is no text",
    why: "a client can't tell an error message within the answer from the answer",
    part: "failures",
  },
  "2.7 broken": {
    title: "a failure in place of an answer is thrown as `failed` or `unavailable`, in the upstream's words",
    why: "the code decides whether another upstream is tried, and the words are all that its user has to go by",
    part: "failures",
  },
  "2.8 incremental": {
    title: "the first piece arrives before the upstream has ended",
    why: "people watch the answer grow; collected first, a stream is only a slow plain answer",
    part: "what-chat-says",
  },
  "2.9 bounded": {
    title: "an upstream that talks on while nobody reads is held back, or left",
    why: "one slow client would fill the gateway's memory, for everybody",
    part: "when-somebody-leaves",
  },
  "2.10 plain-ends": {
    title: "a plain answer that is cut, cut off or garbage makes the request fail",
    why: "an empty or a half answer would be sent with status 200",
    part: "honest-ends",
  },
  "2.11 alive": {
    title: "what the upstream sends to keep an answer alive is told by `call.alive()`",
    why: "a model that thinks for minutes sends nothing but pings; without them the gateway ends its answer as dead",
    part: "what-chat-says",
  },
  "2.12 late-text": {
    title: "what an upstream says behind its finish reason isn't lost",
    why: "some servers give a reason with every piece: the rest would be dropped, and its beginning sold as the whole",
    part: "honest-ends",
  },
  "2.13 last-text": {
    title: "text that comes in one piece with the finish reason arrives once",
    why: "many servers end like that: the last words are dropped, or said twice",
    part: "what-chat-says",
  },
  "2.14 filtered": {
    title: "a prompt that the upstream's filter refuses is `content-filter`, in the upstream's words",
    why: "with another code the credential or the model is taken out of use for what one client wrote",
    part: "failures",
  },
  "2.15 oversized": {
    title: "a request that is too large for the upstream is `too-large`",
    why: "only then is the next upstream tried, which may take it",
    part: "failures",
  },
  "2.16 unreachable": {
    title: "an upstream that nobody can connect to is `unreachable`",
    why: "only then does all of it rest at once, and not one model after the other",
    part: "failures",
  },
  "3.1 tool-calls": {
    title: "tool calls arrive with their names and arguments, numbered from 0 in their order",
    why: "clients put the pieces of each call together by its index; a wrong one mixes two calls",
    part: "tools-and-parameters",
  },
  "3.2 plain-tool-calls": {
    title: "a request without `stream` gets the same tool calls",
    why: "most agents don't stream their tool calls",
    part: "tools-and-parameters",
  },
  "3.3 messages": {
    title: "every message and part reaches the upstream, is named as ignored, or is refused",
    why: "a model that never saw the picture, or the tool's result, makes its answer up",
    part: "tools-and-parameters",
  },
  "3.4 fields": {
    title: "every field of a request reaches the upstream, is named as ignored, or is refused",
    why: "a parameter that is dropped in silence is found weeks later, by its effect on answers",
    part: "tools-and-parameters",
  },
  "3.5 values": {
    title:
      "what reaches the upstream has the value that the client gave, or what the fixtures translate it to",
    why: "an answer would be made with other settings than were asked for",
    part: "tools-and-parameters",
  },
  "3.6 digits": {
    title: "numbers that JavaScript can't hold keep their digits, in tool calls and in requests",
    why: "a tool is called with the id of another row, and nobody is told",
    part: "tools-and-parameters",
  },
  "3.7 history": {
    title: "a history is taken, each result at its call, or refused with its place",
    why: "it stays as it is: a conversation that is refused once is refused for ever, and a result at the wrong call is an answer about something else",
    part: "tools-and-parameters",
  },
  "3.8 same-id": {
    title: "two calls under one id stay two calls, each with its own arguments",
    why: "an agent would run one of them twice, or one with the arguments of both",
    part: "tools-and-parameters",
  },
  "3.9 open-call": {
    title: "arguments that end within their JSON arrive as they were said, or make the answer fail",
    why: "the gateway fails a call that can't be run; one that was mended is run with arguments that nobody meant",
    part: "tools-and-parameters",
  },
} as const satisfies Record<string, RuleText>;
