import type {
  Call,
  ChatRequest,
  ChatStream,
  Message,
  Upstream,
  UpstreamErrorCode,
} from "../../contract/index.ts";
import { UpstreamError } from "../../contract/index.ts";
import { boundIn } from "./answer-bound.ts";

/** What was learnt of one model of an upstream. */
interface Learnt {
  /** The members that it refuses. */
  readonly refused: Set<string>;
  /** Whether it knows `max_tokens` by its newer name alone. */
  renamed: boolean;
  /** Whether it doesn't know the role `developer`, which is a newer name of `system`. */
  developerUnknown: boolean;
  /** Whether it takes instructions at the beginning alone. */
  instructedFirst: boolean;
  /** The longest answer that can be asked of it, in tokens. */
  longest: number;
}

/** Models of one upstream that are remembered, as clients name them. */
const MAX_MODELS = 200;

/** The members that the translation writes, and that not every server or model takes. The answer is the same kind without. */
const DISPENSABLE = [
  "reasoning_effort",
  "parallel_tool_calls",
  "safety_identifier",
  "service_tier",
  "metadata",
  "verbosity",
  "prompt_cache_key",
  "prompt_cache_retention",
];

/** Failures that may be mended by leaving something out. */
const MENDABLE: ReadonlySet<UpstreamErrorCode> = new Set(["bad-request", "unsupported", "context-length"]);

/** Calls for one attempt, against a server that refuses ever more. */
const MAX_TRIES = 6;

const OLD_NAME = "max_tokens";
const NEW_NAME = "max_completion_tokens";

/** Remembers for each model of an upstream which of the members that a translation writes it refuses. */
export class Refusals {
  readonly #known = new WeakMap<Upstream, Map<string, Learnt>>();

  /** Asks for a chat; again without what is refused, if the answer can do without. */
  async ask(upstream: Upstream, chat: ChatRequest, call: Call): Promise<ChatStream> {
    const onOmitted = (name: string) => call.ignored(name, "the upstream refuses it");
    let asked = chat;
    for (let tries = 1; ; tries++) {
      const sent = this.#apply(upstream, asked, onOmitted);
      try {
        return await upstream.chat(sent, call);
      } catch (error) {
        if (tries === MAX_TRIES || !UpstreamError.is(error) || !MENDABLE.has(error.code)) throw error;
        const shorter = this.#shorten(upstream, sent, error);
        if (shorter === undefined && !this.#learn(upstream, sent, error)) throw error;
        if (shorter === undefined) continue;
        asked = { ...asked, [OLD_NAME]: shorter };
        onOmitted(OLD_NAME);
      }
    }
  }

  /** Returns the bound of the answer that the upstream takes for this request; undefined if it is no matter of that. */
  #shorten(upstream: Upstream, sent: ChatRequest, error: UpstreamError): number | undefined {
    const asked = sent[OLD_NAME] ?? sent[NEW_NAME];
    const bound = typeof asked === "number" ? boundIn(error, asked) : undefined;
    if (bound?.isLasting) this.#of(upstream, sent.model).longest = bound.tokens;
    return bound?.tokens;
  }

  /** Learns from a failure. Returns false where the same request would fail in the same way again. */
  #learn(upstream: Upstream, sent: ChatRequest, error: UpstreamError): boolean {
    const words = new Set(`${error.param ?? ""} ${error.message}`.match(/\w+/g));
    const refused = DISPENSABLE.filter((name) => sent[name] !== undefined && words.has(name));
    const isRenamed = sent[OLD_NAME] !== undefined && words.has(OLD_NAME) && words.has(NEW_NAME);
    const isUnknown = (words.has("developer") || words.has("role")) && sent.messages.some(isDevelopers);
    const isMisplaced =
      !isUnknown && /\bsystem\b/i.test(error.message) && sent.messages.some(isLateInstruction);
    if (refused.length === 0 && !isRenamed && !isUnknown && !isMisplaced) return false;
    const learnt = this.#of(upstream, sent.model);
    for (const name of refused) learnt.refused.add(name);
    learnt.renamed ||= isRenamed;
    learnt.developerUnknown ||= isUnknown;
    learnt.instructedFirst ||= isMisplaced;
    return true;
  }

  /** Returns the request as the model takes it. `onOmitted` is called with the name of each member that is left out. */
  #apply(upstream: Upstream, chat: ChatRequest, onOmitted: (name: string) => void): ChatRequest {
    const learnt = this.#known.get(upstream)?.get(chat.model);
    if (!learnt) return chat;
    const fitted = { ...chat } as Record<string, ChatRequest[string]>;
    for (const name of learnt.refused) {
      if (fitted[name] === undefined) continue;
      delete fitted[name];
      onOmitted(name);
    }
    if (Number(fitted[OLD_NAME]) > learnt.longest) {
      fitted[OLD_NAME] = learnt.longest;
      onOmitted(OLD_NAME);
    }
    if (learnt.renamed && fitted[OLD_NAME] !== undefined) {
      fitted[NEW_NAME] = fitted[OLD_NAME];
      delete fitted[OLD_NAME];
    }
    let { messages } = chat;
    if (learnt.developerUnknown) messages = messages.map(asSystems);
    if (learnt.instructedFirst) messages = messages.map(asSaidByUser);
    return { ...fitted, messages, model: chat.model };
  }

  #of(upstream: Upstream, model: string): Learnt {
    const models = this.#known.get(upstream) ?? new Map<string, Learnt>();
    this.#known.set(upstream, models);
    let learnt = models.get(model);
    if (!learnt) {
      if (models.size >= MAX_MODELS) models.clear();
      learnt = {
        refused: new Set(),
        renamed: false,
        developerUnknown: false,
        instructedFirst: false,
        longest: Infinity,
      };
      models.set(model, learnt);
    }
    return learnt;
  }
}

function isDevelopers({ role }: Message): boolean {
  return role === "developer";
}

function asSystems(message: Message): Message {
  return isDevelopers(message) ? { ...message, role: "system" } : message;
}

function isLateInstruction({ role }: Message, index: number): boolean {
  return role === "system" && index > 0;
}

/** Many chat templates of local servers take instructions at the beginning alone. */
function asSaidByUser(message: Message, index: number): Message {
  return isLateInstruction(message, index) ? { ...message, role: "user" } : message;
}
