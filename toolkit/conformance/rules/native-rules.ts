import type { RuleText } from "./answer-rules.ts";

/** The rules of level 7: requests and answers in a client's own API. */
export const NATIVE_RULES = {
  "7.1 own-request": {
    title: "a request reaches the upstream as its client wrote it",
    why: "members that the plugin doesn't know would be lost, which is what such clients complain of",
    part: "native-apis",
  },
  "7.2 own-frames": {
    title: "frames, and a plain answer's document, are the upstream's own, each once and in order",
    why: "the client reads them as the upstream's; a changed one breaks its state",
    part: "native-apis",
  },
  "7.3 same-events": {
    title: "beside its frames an answer has the content, the finish and the usage that `chat` gives",
    why: "failover, limits, bills and the cache know the answer by these alone",
    part: "native-apis",
  },
  "7.4 own-ends": {
    title: "an answer that breaks off or fails is thrown, and its failure is no frame",
    why: "a client would take half an answer for a whole one, and the next target would never be tried",
    part: "native-apis",
  },
  "7.5 own-last": {
    title: "the frame with the finish is the last one",
    why: "the gateway holds it until the stream has ended, and clients read nothing behind it",
    part: "native-apis",
  },
  "7.6 count": {
    title: "countTokens() resolves to the upstream's count, and fails as requests do",
    why: "a client compacts its conversation by it, and a refused credential must be found here, too",
    part: "native-apis",
  },
} as const satisfies Record<string, RuleText>;
