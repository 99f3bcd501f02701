import { asArray, asString, isObject, member } from "modelyard/kit";
import { UpstreamError } from "modelyard/plugin";
import type { Json, JsonObject } from "modelyard/plugin";
import type { Credential } from "../auth/credentials.ts";
import type { Prompt } from "../request/request.ts";
import type { Supabase, SupabaseResponse } from "../auth/supabase.ts";

/** The credential, prompt and signal of one run. */
export interface PromptCall {
  readonly credential: Credential;
  readonly prompt: Prompt;
  readonly signal: AbortSignal;
}

/** The id of the prompt to run, and the test cases that such a prompt needs. */
export interface PromptReference {
  readonly id: string;
  readonly testCases: readonly JsonObject[];
}

const TEST_CASES: readonly JsonObject[] = [{ name: "modelyard", variables: [] }];

/** Prepares and starts runs through the service's HTTP endpoints. */
export class PromptRuns {
  readonly #supabase: Supabase;
  readonly #promptId: string;

  constructor(supabase: Supabase, promptId: string) {
    this.#supabase = supabase;
    this.#promptId = promptId;
  }

  /** Resolves to the configured prompt, or to one created for this run alone, as it contains the user's messages. */
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

  /** Starts a run and resolves to the ids of its jobs; an empty list if the service reports none. */
  async start(call: PromptCall, runId: string, reference: PromptReference): Promise<readonly string[]> {
    const answer = await this.#post(call, "/functions/v1/initiate-prompt-run", {
      run_id: runId,
      prompt_id: reference.id,
      prompt_meta: call.prompt.meta,
      test_cases: reference.testCases,
      created_by: call.credential.user_id,
    });
    if (!isObject(answer)) throw new UpstreamError("bad-response", "initiate-prompt-run gave no object");
    const ids = asArray(answer["jobs"]).map((job) => asString(member(job, "job_id")));
    // A run has at most one test case, hence one job; of several the first is the answer.
    return ids.filter((id) => id !== "").slice(0, 1);
  }

  async #post(call: PromptCall, path: string, body: JsonObject): Promise<Json | undefined> {
    const { credential, signal } = call;
    const token = credential.access_token;
    const answer = await this.#supabase.send({ method: "POST", path, token, body, signal });
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    throw startError(answer, call.prompt);
  }
}

/**
 * Returns the error of a refused request. A 403 for a premium model, or one that mentions the model, concerns the model
 * and doesn't exclude the credential.
 */
function startError(answer: SupabaseResponse, { model }: Prompt): UpstreamError {
  const failure = answer.error();
  if (answer.status !== 403 || !(model.premium || ABOUT_THE_MODEL.test(failure.message))) return failure;
  const message = `langfa.st refuses ${model.id} to this credential: ${failure.message}`;
  return new UpstreamError("unsupported", message, { param: "model" });
}

const ABOUT_THE_MODEL = /\bmodels?\b|\bpremium\b|\bpaid\b|\bplan\b|\bupgrade\b|\bsubscri/i;
