/** One promise that every plugin must keep. */
export interface Rule {
  /** Level, number and a word for it: `2.4 truncated`. */
  readonly id: string;
  readonly level: Level;
  /** What must hold. */
  readonly title: string;
  /** Why it matters to those who use the gateway. */
  readonly why: string;
  /** Where to read how it is done. */
  readonly look: string;
}

export type Level = 1 | 2 | 3 | 4 | 5 | 6;

/** What the levels are about. */
export const LEVELS: Readonly<Record<Level, string>> = {
  1: "answers",
  2: "stream rules and honest ends",
  3: "tools and parameters",
  4: "cancelling and leaks",
  5: "credentials",
  6: "options, models, status",
};

interface Promised {
  readonly title: string;
  readonly why: string;
  /** The part of docs/plugins.md. */
  readonly part: string;
}

const PROMISED = {
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
  "4.1 silent": {
    title: "a request that is given up before the upstream has said anything ends at once, on both sides",
    why: "deadlines and clients that leave would not be felt: connections and credentials stay taken",
    part: "when-somebody-leaves",
  },
  "4.2 begun": {
    title: "so does one that is given up before its first event",
    why: "upstreams think for minutes; that is when most people leave",
    part: "when-somebody-leaves",
  },
  "4.3 mid-stream": {
    title: "so does one that is given up in the middle",
    why: "the upstream would go on, and be paid, for nobody",
    part: "when-somebody-leaves",
  },
  "4.4 paused": {
    title: "so does one that is given up while its consumer pauses",
    why: "a slow client that leaves is the usual case, and nobody asks for an event then",
    part: "when-somebody-leaves",
  },
  "4.5 plain": {
    title: "so does one without `stream`",
    why: "a plain answer takes just as long",
    part: "when-somebody-leaves",
  },
  "4.6 return": {
    title: "a consumer that leaves by return() ends the upstream's work, too",
    why: "that is how the gateway leaves an answer that it doesn't need any more",
    part: "when-somebody-leaves",
  },
  "4.7 reopen": {
    title: "an upstream can be opened, closed and opened again",
    why: "every reload does that; what is left over of the first one breaks the second",
    part: "the-life-of-an-upstream",
  },
  "4.8 open-network": {
    title: "`open` uses no network",
    why: "`modelyard check` opens every upstream, offline and in build machines; a gateway must start when an upstream is down",
    part: "the-life-of-an-upstream",
  },
  "4.9 open-writes": {
    title: "`open` writes nothing to the storage",
    why: "checking a configuration would change the state of the gateway that runs",
    part: "the-life-of-an-upstream",
  },
  "4.10 timers": {
    title: "no timer is left after closing",
    why: "with every reload one more would go off, for an upstream that is no more",
    part: "the-life-of-an-upstream",
  },
  "4.11 descriptors": {
    title: "no socket and no file is left open after closing",
    why: "with every reload there would be more, until the process may open none",
    part: "the-life-of-an-upstream",
  },
  "4.12 closed": {
    title: "after closing the upstream is left alone, and every clean-up has run",
    why: "a connection of an upstream that was taken out goes on using its credential",
    part: "the-life-of-an-upstream",
  },
  "4.13 rejections": {
    title: "no rejection is left to nobody",
    why: "it ends the process, or hides a failure",
    part: "when-somebody-leaves",
  },
  "4.14 listeners": {
    title: "requests leave no listener on `host.signal`",
    why: "each one keeps its request in memory for as long as the gateway runs",
    part: "when-somebody-leaves",
  },
  "5.1 refused": {
    title: "a refused credential is `rejected`",
    why: "only then is the credential taken out of use and another one tried, and not the whole upstream",
    part: "failures",
  },
  "5.2 limited": {
    title: "a limit is `rate-limited`, and `retryAfterMs` is what the upstream said",
    why: "asked again too soon, upstreams lengthen the wait or shut the account",
    part: "failures",
  },
  "5.3 refresh": {
    title: "a credential that has expired is renewed, and requests go on",
    why: "it expires every hour, at night too",
    part: "credentials",
  },
  "5.4 restart": {
    title: "after a restart the credentials from before are used, and nobody signs up again",
    why: "services that count sign-ups would shut the gateway out",
    part: "credentials",
  },
  "5.5 announced": {
    title: "every secret that the plugin comes by is announced with `host.secret()`",
    why: "only what is announced can be removed from logs and errors",
    part: "secrets",
  },
  "5.6 unseen": {
    title: "no secret stands in a log line, an error or the status",
    why: "logs are shipped and errors are pasted into forums",
    part: "secrets",
  },
  "5.7 queued": {
    title: "a request that waits for a credential says so with `call.queued()`",
    why: "the wait would count as the upstream's silence: requests time out, and the upstream is taken for dead",
    part: "credentials",
  },
  "6.1 manifest": {
    title: "name, apiVersion and options are well-formed",
    why: "the name stands in logs and in the status of the gateway",
    part: "the-life-of-an-upstream",
  },
  "6.2 strict": {
    title: "an option that doesn't exist is refused",
    why: "a misspelt option would have no effect, and nobody would be told",
    part: "options",
  },
  "6.3 described": {
    title: "every option is described",
    why: "the description is what the reference and editors show; there is no other place",
    part: "options",
  },
  "6.4 defaults": {
    title: "every default is a value that the option takes",
    why: "a configuration that says nothing would be refused for it",
    part: "options",
  },
  "6.5 marked": {
    title: "options that hold a secret are marked with `Secret()`",
    why: "only then is their value removed from logs and errors",
    part: "secrets",
  },
  "6.6 models": {
    title: "models() lists each model once, with well-formed capabilities",
    why: "requests are routed by this list",
    part: "models-and-status",
  },
  "6.7 models-abort": {
    title: "models() ends when it is given up",
    why: "one upstream that hangs would hold up the list of all",
    part: "models-and-status",
  },
  "6.8 status": {
    title: "status() is JSON",
    why: "it is shown as it is; what JSON can't say is lost, or breaks the page",
    part: "models-and-status",
  },
} as const satisfies Record<string, Promised>;

export type RuleId = keyof typeof PROMISED;

/** Every rule, in the order in which they are tested. */
export const RULES: readonly (Rule & { readonly id: RuleId })[] = (Object.keys(PROMISED) as RuleId[]).map(
  (id) => {
    const { title, why, part } = PROMISED[id];
    return { id, level: Number(id[0]) as Level, title, why, look: `docs/plugins.md#${part}` };
  },
);
