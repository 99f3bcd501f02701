import type { ChatEvent, ChatRequest, ChatStream } from "../../contract/index.ts";
import { asArray, asObject, asString } from "../json/values.ts";
import type { MaybeJson } from "../json/values.ts";

/** The tool names that an upstream accepts. */
export interface ToolNameRule {
  /** Matches accepted names; other names get an alias. */
  readonly pattern: RegExp;
  /** Matches the characters that an alias replaces by `_`; needs the flag `g`. */
  readonly refused: RegExp;
  readonly maxLength: number;
}

/**
 * Maps the tool names of a request (`tools`, `tool_choice`, history) to names that the upstream accepts. A name that it
 * would refuse (`fs.read`, `read file`) gets a unique alias; calls in the answer get the original name back.
 */
export class ToolNames {
  readonly #rule: ToolNameRule;
  readonly #aliases = new Map<string, string>();
  readonly #names = new Map<string, string>();
  /** Names in use, which no alias may have. */
  readonly #taken = new Set<string>();
  /** The number of aliases by stem. */
  readonly #counts = new Map<string, number>();

  constructor(request: ChatRequest, rule: ToolNameRule) {
    this.#rule = rule;
    const refused: string[] = [];
    for (const name of namesIn(request)) {
      if (rule.pattern.test(name)) this.#taken.add(name);
      else if (name !== "") refused.push(name);
    }
    for (const name of refused) this.#addAlias(name);
  }

  /** Returns the name for the upstream; a name without an alias is returned as it is. */
  toUpstream(name: string): string {
    return this.#aliases.get(name) ?? name;
  }

  /** Returns the answer with the client's names. */
  toClient(stream: ChatStream): ChatStream {
    if (this.#names.size === 0) return stream;
    return {
      [Symbol.asyncIterator]: () => {
        const events = stream[Symbol.asyncIterator]();
        return {
          next: async () => {
            const next = await events.next();
            return next.done ? next : { done: false, value: this.#renamed(next.value) };
          },
          return: async () => (await events.return?.()) ?? { done: true, value: undefined },
        };
      },
    };
  }

  #renamed(event: ChatEvent): ChatEvent {
    if (event.type !== "tool-call" || event.name === undefined) return event;
    const name = this.#names.get(event.name);
    return name === undefined ? event : { ...event, name };
  }

  #addAlias(name: string): void {
    if (this.#aliases.has(name)) return;
    const { pattern, refused, maxLength } = this.#rule;
    const letters = name.replaceAll(refused, "_").slice(0, maxLength);
    // A name may have to begin with a letter.
    const stem = pattern.test(letters) ? letters : `_${letters}`.slice(0, maxLength);
    let alias = stem;
    let count = this.#counts.get(stem) ?? 1;
    for (; this.#taken.has(alias); count++) {
      const suffix = `_${count + 1}`;
      alias = stem.slice(0, maxLength - suffix.length) + suffix;
    }
    this.#counts.set(stem, count);
    this.#taken.add(alias);
    this.#aliases.set(name, alias);
    this.#names.set(alias, name);
  }
}

function* namesIn(request: ChatRequest): Generator<string> {
  for (const tool of asArray(request["tools"])) yield nameIn(tool);
  for (const { role, tool_calls: calls, function_call: call } of request.messages) {
    if (role !== "assistant") continue;
    for (const each of asArray(calls)) yield nameIn(each);
    yield asString(asObject(call)?.["name"]);
  }
}

/** Returns the name of a function, or of a tool in a vendor's own form. */
function nameIn(tool: MaybeJson): string {
  const members = asObject(tool);
  return asString((asObject(members?.["function"]) ?? members)?.["name"]);
}
