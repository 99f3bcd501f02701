import type { CallFault, CallScript } from "./script.ts";
import { errorBody, Refusal } from "./refusal.ts";
import type { Part } from "./refusal.ts";

const used = new WeakMap<CallFault, number>();

/** The fault of the `nth` call, if there is one, counting it as used. */
export function takeFault(script: CallScript | undefined, nth: number): CallFault | undefined {
  const fault = typeof script === "function" ? script(nth) : script;
  if (fault?.times === undefined) return fault;
  const uses = used.get(fault) ?? 0;
  if (uses >= fault.times) return undefined;
  used.set(fault, uses + 1);
  return fault;
}

/** Whether a call with this fault has its effect. */
export function isCarriedOut(fault: CallFault): boolean {
  return fault.carriedOut ?? (!fault.hang && (fault.status ?? 200) < 400);
}

/** The answer that a fault puts in the usual one's place; undefined if it only delays. */
export function faultAnswer(fault: CallFault, part: Part): Response | undefined {
  if (fault.status === undefined && fault.body === undefined) return undefined;
  const status = fault.status ?? 200;
  const headers = new Headers({ "content-type": "application/json" });
  if (fault.retryAfter !== undefined) headers.set("retry-after", String(fault.retryAfter));
  const body = fault.body ?? errorBody(part, new Refusal(status, undefined, fault.errorCode));
  return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
}
