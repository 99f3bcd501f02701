/**
 * The conformance kit, which tests any plugin offline: `modelyard/conformance`.
 * @module
 */
export { describeUpstream } from "./describe.ts";
export type { Fixtures, NativeFixtures, TestUpstream } from "./upstreams/fixtures.ts";
export { httpFixtures } from "./upstreams/http-fixtures.ts";
export type { HttpSetup, NativeSetup } from "./upstreams/http-fixtures.ts";
export { httpUpstream } from "./upstreams/http-upstream.ts";
export type { HttpReply, HttpRequest, HttpUpstreamSetup } from "./upstreams/http-upstream.ts";
export { messageOf, reportText } from "./report.ts";
export type { RuleOutcome, Report, Result } from "./report.ts";
export { LEVELS, RULES } from "./rules/rules.ts";
export type { Level, Rule, RuleId } from "./rules/rules.ts";
export { testUpstream, unknownNames } from "./run.ts";
export type { TestOptions } from "./run.ts";
export { SCENARIOS } from "./upstreams/scenarios.ts";
export type { Answer, AnswerEvent, Scenario, ScenarioName } from "./upstreams/scenarios.ts";
