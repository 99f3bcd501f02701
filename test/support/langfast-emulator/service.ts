import type { JsonObject } from "../../../src/contract/json.ts";
import type { Account, Accounts } from "./auth.ts";
import { checkCreatePrompt, checkInitiate, PREMIUM } from "./checks.ts";
import { faultAnswer, isCarriedOut, takeFault } from "./faults.ts";
import type { Journal } from "./journal.ts";
import type { CallName } from "./records.ts";
import { errorBody, Refusal, Violation } from "./refusal.ts";
import type { Part } from "./refusal.ts";
import type { Runs } from "./runs.ts";
import type { EmulatorScript } from "./script.ts";
import { aborted, pause } from "./waiting.ts";

/** The prompt that everybody may run. */
const PUBLIC_PROMPT = "6456df9f-f4fd-42b3-97ff-df29af7188b7";
const MAX_PROMPTS = 2_000;

/** What the HTTP side needs of the rest. */
export interface ServiceParts {
  readonly anonKey: string;
  readonly journal: Journal;
  readonly accounts: Accounts;
  readonly runs: Runs;
  readonly script: () => EmulatorScript;
  /** Aborted when the emulator stops. */
  readonly signal: AbortSignal;
}

interface Endpoint {
  readonly name: Exclude<CallName, "connect">;
  readonly part: Part;
  readonly answer: (request: Request) => Promise<unknown>;
}

/** The HTTP side: each call is counted, checked, and answered as the script says. */
export class Service {
  readonly #parts: ServiceParts;
  readonly #prompts = new Map<string, string>();
  readonly #endpoints: Readonly<Record<string, Endpoint>> = {
    "POST /auth/v1/signup": { name: "signup", part: "auth", answer: (request) => this.#signUp(request) },
    "POST /auth/v1/token": { name: "refresh", part: "auth", answer: (request) => this.#refresh(request) },
    "GET /auth/v1/user": { name: "user", part: "auth", answer: (request) => this.#user(request) },
    "POST /rest/v1/rpc/create_prompt": {
      name: "createPrompt",
      part: "rest",
      answer: (request) => this.#createPrompt(request),
    },
    "POST /functions/v1/initiate-prompt-run": {
      name: "initiate",
      part: "function",
      answer: (request) => this.#initiate(request),
    },
  };

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  async handle(request: Request): Promise<Response> {
    const route = `${request.method} ${new URL(request.url).pathname}`;
    const endpoint = this.#endpoints[route];
    if (endpoint) return await this.#call(endpoint, request);
    this.#parts.journal.violated(`unknown call ${route}`);
    return Response.json({ error: "requested path is invalid" }, { status: 404 });
  }

  async #call(endpoint: Endpoint, request: Request): Promise<Response> {
    const { journal, script, signal } = this.#parts;
    const fault = takeFault(script()[endpoint.name], journal.called(endpoint.name)) ?? {};
    const gone = AbortSignal.any([request.signal, signal]);
    if (fault.delay) await pause(fault.delay, gone);
    const usual = await this.#answer(endpoint, request, isCarriedOut(fault));
    if (fault.hang) await aborted(gone);
    return faultAnswer(fault, endpoint.part) ?? usual;
  }

  /** The usual answer; a call that isn't to be carried out is checked for its key all the same. */
  async #answer(
    { name, part, answer }: Endpoint,
    request: Request,
    isCarriedOut: boolean,
  ): Promise<Response> {
    try {
      this.#checkKey(request);
      return Response.json(isCarriedOut ? await answer(request) : null);
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Violation(500, `the emulator: ${String(error)}`);
      if (refusal instanceof Violation) this.#parts.journal.violated(`${name}: ${refusal.message}`);
      return Response.json(errorBody(part, refusal), { status: refusal.status });
    }
  }

  async #signUp(request: Request): Promise<JsonObject> {
    const authorization = request.headers.get("authorization");
    if (authorization !== null && authorization !== `Bearer ${this.#parts.anonKey}`) {
      throw new Violation(401, "a sign-up with another key in Authorization");
    }
    return this.#parts.accounts.signUp(await readJson(request));
  }

  async #refresh(request: Request): Promise<JsonObject> {
    if (new URL(request.url).searchParams.get("grant_type") !== "refresh_token") {
      throw new Violation(400, "grant_type is not refresh_token", "validation_failed");
    }
    return this.#parts.accounts.refresh(await readJson(request));
  }

  #user(request: Request): Promise<JsonObject> {
    const account = this.#authenticate(request, 403);
    this.#parts.journal.did("verifications");
    return Promise.resolve(this.#parts.accounts.describe(account));
  }

  async #createPrompt(request: Request): Promise<string> {
    const account = this.#authenticate(request);
    checkCreatePrompt(await readJson(request));
    const promptId = crypto.randomUUID();
    this.#prompts.set(promptId, account.id);
    const [oldest] = this.#prompts.keys();
    if (this.#prompts.size > MAX_PROMPTS && oldest !== undefined) this.#prompts.delete(oldest);
    this.#parts.journal.did("prompts");
    return promptId;
  }

  async #initiate(request: Request): Promise<JsonObject> {
    const { runs, script } = this.#parts;
    const account = this.#authenticate(request);
    const body = checkInitiate(await readJson(request));
    if (body.createdBy !== account.id) throw new Violation(403, "created_by is not the token's user");
    if (runs.has(body.runId)) throw new Violation(409, `run_id ${body.runId} was used before`);
    if (account.socketsOpened === 0) throw new Violation(400, "a run for a user that never had a socket");
    this.#checkPrompt(body.promptId, body.testCases.length, account);
    if (script().refusePremium && PREMIUM.includes(body.promptMeta["model"] ?? null)) {
      throw new Refusal(403, "this model needs a paid plan");
    }
    return await runs.start(body, account);
  }

  #checkPrompt(promptId: string, testCases: number, account: Account): void {
    const isPublic = promptId === PUBLIC_PROMPT;
    if (!isPublic && this.#prompts.get(promptId) !== account.id) {
      throw new Violation(404, `no prompt ${promptId} of this user`);
    }
    // The two known ways: the public prompt with no test case, or an own prompt with one.
    if (isPublic !== (testCases === 0)) throw new Violation(400, `${testCases} test cases for this prompt`);
  }

  #checkKey(request: Request): void {
    const key = request.headers.get("apikey");
    if (key === null) throw new Violation(401, "No API key found in request");
    if (key !== this.#parts.anonKey) throw new Violation(401, "Invalid API key");
  }

  #authenticate(request: Request, refusedWith = 401): Account {
    const [, token] = /^Bearer (\S+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
    if (token === undefined) throw new Violation(401, "no Bearer token in Authorization");
    return this.#parts.accounts.verify(token, refusedWith);
  }
}

async function readJson(request: Request): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  if (!type.startsWith("application/json")) throw new Violation(415, `content-type ${type} is not JSON`);
  try {
    return await request.json();
  } catch {
    throw new Violation(400, "malformed JSON");
  }
}
