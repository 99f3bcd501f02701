import type { RuleText } from "./answer-rules.ts";

/** Levels 4 to 6: cancelling, credentials, options. */
export const CONDUCT_RULES = {
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
  "4.15 instances": {
    title: "two upstreams of one plugin don't get in each other's way",
    why: "gateway.yaml may name a plugin twice; what is kept in a variable of the module is then the other one's",
    part: "the-life-of-an-upstream",
  },
  "4.16 late": {
    title: "a prompt isn't sent once the client has left",
    why: "a run that begins then is paid for, and nobody is there to end it",
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
    title: "a credential that has expired is renewed, however new it was, and requests go on",
    why: "it expires every hour, at night too, and services take back what is new",
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
  "5.8 spent": {
    title: "spent credit is `out-of-credit`, and `retryAfterMs` is when the upstream says that it is back",
    why: "only then does the credential rest until there is credit, while the others serve",
    part: "failures",
  },
  "5.9 uncut": {
    title: "a secret that the upstream repeats is passed on whole, or not at all",
    why: "the gateway removes what it knows; a part of a secret that was cut is no longer found for certain",
    part: "secrets",
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
  "6.9 pages": {
    title: "models() reads every page of the upstream's list",
    why: "models of later pages can't be asked for, and nobody is told that there are any",
    part: "models-and-status",
  },
} as const satisfies Record<string, RuleText>;
