/**
 * The suite that anybody's plugin can be put to, offline: `modelyard/conformance`.
 * @module
 */
export { describeUpstream } from "./describe.ts";
export type { Fixtures, TestUpstream } from "./fixtures.ts";
export { httpFixtures } from "./http-fixtures.ts";
export type { HttpSetup } from "./http-fixtures.ts";
export { httpUpstream } from "./http-upstream.ts";
export type { HttpReply, HttpRequest, HttpUpstreamSetup } from "./http-upstream.ts";
export { messageOf, reportText } from "./report.ts";
export type { Outcome, Report, Result } from "./report.ts";
export { LEVELS, RULES } from "./rules.ts";
export type { Level, Rule, RuleId } from "./rules.ts";
export { testUpstream, unknownNames } from "./run.ts";
export type { TestOptions } from "./run.ts";
export { SCENARIOS } from "./scenarios.ts";
export type { Answer, AnswerEvent, Scenario, ScenarioName } from "./scenarios.ts";
