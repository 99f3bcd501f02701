import type { RuleText } from "./answer-rules.ts";

/** The rules of levels 4 to 6: cancelling, credentials, options. */
export const CONDUCT_RULES = {
  "4.1 silent": {
    title: "a request that is cancelled before the upstream has sent anything ends at once, on both sides",
    why: "timeouts and disconnects would have no effect: connections and credentials stay in use",
    part: "cancellation",
  },
  "4.2 begun": {
    title: "so does one that is cancelled before its first event",
    why: "models think for minutes; most disconnects happen then",
    part: "cancellation",
  },
  "4.3 mid-stream": {
    title: "so does one that is cancelled in the middle",
    why: "the upstream would continue, and be paid, for nothing",
    part: "cancellation",
  },
  "4.4 paused": {
    title: "so does one that is cancelled while its consumer pauses",
    why: "slow clients often disconnect, and no read is pending then",
    part: "cancellation",
  },
  "4.5 plain": {
    title: "so does one without `stream`",
    why: "a plain answer takes just as long",
    part: "cancellation",
  },
  "4.6 return": {
    title: "return() ends the upstream's work, too",
    why: "the gateway cancels an answer that it no longer needs by return()",
    part: "cancellation",
  },
  "4.7 reopen": {
    title: "an upstream can be opened, closed and opened again",
    why: "every reload does that; leftovers of the first break the second",
    part: "lifecycle",
  },
  "4.8 open-network": {
    title: "`open` uses no network",
    why: "`modelyard check` opens every upstream, offline and in build machines; a gateway must start when an upstream is down",
    part: "lifecycle",
  },
  "4.9 open-writes": {
    title: "`open` writes nothing to the storage",
    why: "checking a configuration would change the state of the gateway that runs",
    part: "lifecycle",
  },
  "4.10 timers": {
    title: "no timer is left after closing",
    why: "each reload would add one more timer of a closed upstream",
    part: "lifecycle",
  },
  "4.11 descriptors": {
    title: "no socket and no file is left open after closing",
    why: "each reload would leak more, up to the limit of the process",
    part: "lifecycle",
  },
  "4.12 closed": {
    title: "after closing the upstream gets no request, and every clean-up has run",
    why: "a connection of a removed upstream would keep using its credential",
    part: "lifecycle",
  },
  "4.13 rejections": {
    title: "no rejection is unhandled",
    why: "an unhandled rejection ends the process or hides a failure",
    part: "cancellation",
  },
  "4.14 listeners": {
    title: "requests leave no listener on `host.signal`",
    why: "each listener keeps its request in memory until the gateway ends",
    part: "cancellation",
  },
  "4.15 instances": {
    title: "two upstreams of one plugin don't interfere",
    why: "gateway.yaml may use a plugin twice; both then share the module's variables",
    part: "lifecycle",
  },
  "4.16 late": {
    title: "a prompt isn't sent after the client has disconnected",
    why: "a run that begins then is paid for, and nothing ends it",
    part: "cancellation",
  },
  "5.1 refused": {
    title: "a refused credential fails with `rejected`",
    why: "only then is the credential taken out of use and another one tried, and not the whole upstream",
    part: "failures",
  },
  "5.2 limited": {
    title: "a rate limit fails with `rate-limited` and the upstream's `retryAfterMs`",
    why: "upstreams punish early retries with longer waits or a closed account",
    part: "failures",
  },
  "5.3 refresh": {
    title: "an expired credential is renewed, however new it was, and requests continue",
    why: "credentials expire every hour, at night, too, and services also revoke new ones",
    part: "credentials",
  },
  "5.4 restart": {
    title: "after a restart the stored credentials are used, without a new sign-up",
    why: "services that count sign-ups would block the gateway",
    part: "credentials",
  },
  "5.5 announced": {
    title: "every secret that the plugin obtains is passed to `host.secret()`",
    why: "only known secrets can be removed from logs and errors",
    part: "secrets",
  },
  "5.6 unseen": {
    title: "no log line, error or status contains a secret",
    why: "logs are shipped and errors are pasted into forums",
    part: "secrets",
  },
  "5.7 queued": {
    title: "a request that waits for a credential calls `call.queued()`",
    why: "the wait would count against the upstream: requests time out, and its circuit opens",
    part: "credentials",
  },
  "5.8 spent": {
    title: "spent credit fails with `out-of-credit` and the upstream's `retryAfterMs`",
    why: "only then is the credential taken out of use until it has credit again, while others serve",
    part: "failures",
  },
  "5.9 uncut": {
    title: "a secret in an upstream's message is passed on complete, or not at all",
    why: "the gateway removes known secrets; it can't recognize a part of one",
    part: "secrets",
  },
  "6.1 manifest": {
    title: "name, apiVersion and options are well-formed",
    why: "logs and the gateway's status show the name",
    part: "lifecycle",
  },
  "6.2 strict": {
    title: "an option that doesn't exist is refused",
    why: "a misspelt option would have no effect, without an error",
    part: "options",
  },
  "6.3 described": {
    title: "every option is described",
    why: "the reference and editors show only the description",
    part: "options",
  },
  "6.4 defaults": {
    title: "every default is a valid value of its option",
    why: "a configuration without the option would be refused",
    part: "options",
  },
  "6.5 marked": {
    title: "options that hold a secret are marked with `Secret()`",
    why: "only marked values are removed from logs and errors",
    part: "secrets",
  },
  "6.6 models": {
    title: "models() lists each model once, with well-formed capabilities",
    why: "requests are routed by this list",
    part: "models-and-status",
  },
  "6.7 models-abort": {
    title: "models() ends when it is cancelled",
    why: "one hanging upstream would delay the list of all models",
    part: "models-and-status",
  },
  "6.8 status": {
    title: "status() is JSON",
    why: "it is shown as JSON; other values are lost, or break the page",
    part: "models-and-status",
  },
  "6.9 pages": {
    title: "models() reads every page of the upstream's list",
    why: "models of later pages would be unknown to the gateway",
    part: "models-and-status",
  },
} as const satisfies Record<string, RuleText>;
