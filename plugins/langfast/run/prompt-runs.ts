import { asArray, asString, isObject, member } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Json, JsonObject } from "modelyard/plugin";
import type { Credential } from "../auth/credentials.ts";
import type { Prompt } from "../request/request.ts";
import type { Answer, Question, Supabase } from "../auth/supabase.ts";

/** Who runs what. */
export interface PromptCall {
  readonly credential: Credential;
  readonly prompt: Prompt;
  readonly signal: AbortSignal;
}

/** The prompt that a run runs, and the test cases that belong to its kind. */
export interface PromptReference {
  readonly id: string;
  readonly testCases: readonly JsonObject[];
}

const TEST_CASES: readonly JsonObject[] = [{ name: "modelyard", variables: [] }];

/** The calls by which a run is prepared and begun. */
export class PromptRuns {
  readonly #supabase: Supabase;
  readonly #promptId: string;

  constructor(supabase: Supabase, promptId: string) {
    this.#supabase = supabase;
    this.#promptId = promptId;
  }

  /** The fixed prompt, or one that is created for this run: what it says is the user's, so it isn't shared. */
  async promptFor(call: PromptCall): Promise<PromptReference> {
    if (this.#promptId !== "auto") return { id: this.#promptId, testCases: [] };
    const { model, messages, stream } = call.prompt.meta;
    const body = {
      p_name: "modelyard",
      p_icon: "openai",
      p_meta: { model, messages, stream },
      p_test_cases: TEST_CASES,
    };
    const id = await this.#post(call, "/rest/v1/rpc/create_prompt", body);
    if (typeof id !== "string") throw new UpstreamError("bad-response", "create_prompt gave no prompt id");
    return { id, testCases: TEST_CASES };
  }

  /** Begins a run; gives the ids of its jobs, none if the service doesn't name them. */
  async initiate(call: PromptCall, runId: string, reference: PromptReference): Promise<readonly string[]> {
    const answer = await this.#post(call, "/functions/v1/initiate-prompt-run", {
      run_id: runId,
      prompt_id: reference.id,
      prompt_meta: call.prompt.meta,
      test_cases: reference.testCases,
      created_by: call.credential.user_id,
    });
    if (!isObject(answer)) throw new UpstreamError("bad-response", "initiate-prompt-run gave no object");
    const ids = asArray(answer["jobs"]).map((job) => asString(member(job, "job_id")));
    // Each run has one test case or none, so it has one job; of several the first is the answer.
    return ids.filter((id) => id !== "").slice(0, 1);
  }

  async #post(call: PromptCall, path: string, body: JsonObject): Promise<Json | undefined> {
    const { credential, signal } = call;
    const question: Question = { method: "POST", path, token: credential.access_token, body, signal };
    const answer = await this.#supabase.ask(question);
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    throw refusal(answer, call.prompt);
  }
}

/**
 * What a refusal means: for a premium model, or where it says so, a 403 is about the model, and no reason to give up
 * the credential.
 */
function refusal(answer: Answer, { model }: Prompt): UpstreamError {
  const failure = answer.failure();
  if (answer.status !== 403 || !(model.premium || ABOUT_THE_MODEL.test(failure.message))) return failure;
  const message = `langfa.st refuses ${model.id} to this credential: ${failure.message}`;
  return new UpstreamError("unsupported", message, { param: "model" });
}

const ABOUT_THE_MODEL = /\bmodels?\b|\bpremium\b|\bpaid\b|\bplan\b|\bupgrade\b|\bsubscri/i;
