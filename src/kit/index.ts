/**
 * What authors of plugins need twice, re-exported as `modelyard/kit`.
 * @module
 */
export { answerStream } from "./sse/answer-stream.ts";
export type { AnswerPiece, AnswerReader } from "./sse/answer-stream.ts";
export { Channel } from "./channel.ts";
export type { ChannelOptions } from "./channel.ts";
export { systemClock } from "./clock.ts";
export type { Clock } from "./clock.ts";
export { isBlankContent, readConversation } from "./messages/conversation.ts";
export type { ConversationMessage, ConversationOptions, ToolCall } from "./messages/conversation.ts";
export { errorFromBody, errorFromResponse } from "./http/errors.ts";
export { cleanBase64, readInlineData } from "./messages/inline-data.ts";
export type { InlineData, InlineDataOptions } from "./messages/inline-data.ts";
export {
  asArray,
  asNumber,
  asObject,
  asObjects,
  asString,
  isAbsent,
  member,
  otherMembers,
} from "./json/values.ts";
export { parseAsWritten, parseJson } from "./json/parse.ts";
export type { MaybeJson } from "./json/values.ts";
export { isObject } from "../contract/json.ts";
export { stringifyJson } from "../json/json-text.ts";
export { describeLimits, wellFormedSchema } from "./json/schema.ts";
export type { WellFormedSchema } from "./json/schema.ts";
export { readFinishReason } from "./openai-stream/finish.ts";
export { openaiStream } from "./openai-stream/openai-stream.ts";
export type { OpenAiStreamOptions } from "./openai-stream/openai-stream.ts";
export type { ReasoningForm } from "./openai-stream/delta.ts";
export { get, post } from "./http/post.ts";
export type { GetOptions, PostOptions } from "./http/post.ts";
export { readJson, readModelList } from "./http/read-json.ts";
export { errorFromFetch } from "./http/error-from-fetch.ts";
export { sse } from "./sse/sse.ts";
export type { SseOptions } from "./sse/sse.ts";
export { SseParser } from "./sse/sse.ts";
export type { SseEvent, SseParserOptions } from "./sse/sse.ts";
export { ToolNames } from "./messages/tool-names.ts";
export type { ToolNameRule } from "./messages/tool-names.ts";
