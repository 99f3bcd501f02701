import { expect, test } from "bun:test";
import { NOTHING_KEPT } from "../../../kept-texts.ts";
import { checkResponsesStream, REQUIRED } from "../../../../../test/support/responses-stream.ts";
import type { NativeEvent } from "../../../../contract/index.ts";
import { GatewayError } from "../../../../errors/gateway-error.ts";
import { AnswerFrames } from "../../../answer-frames.ts";
import { parseResponsesRequest } from "../request/request.ts";
import { ResponseWriter } from "./writer.ts";

const request = parseResponsesRequest({ model: "m", input: "Hi", stream: true }, NOTHING_KEPT);
const failure = new GatewayError("upstream_truncated", "the upstream broke off");
const id = `resp_${"0".repeat(48)}`;
const response = { ...Object.fromEntries(REQUIRED.map((name) => [name, null])), id, status: "in_progress" };

function native(
  number: number,
  name: string,
  members: object,
  events: NativeEvent["events"] = [],
): NativeEvent {
  const data = JSON.stringify({ type: name, sequence_number: number, ...members });
  return { type: "native", name, data, events };
}

const BEGUN = [
  native(0, "response.created", { response }),
  native(1, "response.in_progress", { response }),
  native(2, "response.output_item.added", {
    output_index: 0,
    item: { id: "msg_1", type: "message", status: "in_progress", role: "assistant", content: [] },
  }),
];

test("an answer of the upstream's own frames fails with their numbers and its id going on", () => {
  const frames = new AnswerFrames(new ResponseWriter(request));
  const stream = checkResponsesStream(frames.write(BEGUN) + frames.failed(failure));
  expect(stream.response).toMatchObject({
    id,
    status: "failed",
    error: { message: "the upstream broke off" },
  });
  expect(stream.events).toHaveLength(5);
});

test("the frames of an end that was held back don't count", () => {
  const end = native(3, "response.completed", { response }, [{ type: "finish", reason: "stop" }]);
  const frames = new AnswerFrames(new ResponseWriter(request));
  const stream = checkResponsesStream(frames.write([...BEGUN, end]) + frames.failed(failure));
  expect(stream.events.map(({ type }) => type).slice(3)).toEqual(["error", "response.failed"]);
});

test("an answer that fails before its first frame begins and fails", () => {
  const frames = new AnswerFrames(new ResponseWriter(request));
  const { events, response: failed } = checkResponsesStream(frames.failed(failure));
  expect([events.length, failed.status]).toEqual([4, "failed"]);
});
