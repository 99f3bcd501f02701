import { isObject } from "../../../contract/json.ts";
import type { RequestMembers } from "../../../json/request-members.ts";

/** Whether the client wants to read what the model thinks. */
export function showsThinking(request: Pick<RequestMembers, "member">): boolean {
  const thinking = request.member("thinking");
  return !isObject(thinking) || thinking["display"] !== "omitted";
}
