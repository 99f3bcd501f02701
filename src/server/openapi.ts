import { version } from "../../package.json";
import type { Dialect } from "../dialects/dialect.ts";
import type { OperationDocument } from "../dialects/operation-document.ts";
import type { ErrorCode } from "../errors/gateway-error.ts";
import { ERROR_CODES, GatewayError } from "../errors/gateway-error.ts";
import type { Endpoint } from "./endpoint.ts";

/** What may be wrong with a request that takes a body, and with one that takes none. */
const WITH_BODY = [400, 401, 403, 404, 408, 413, 415, 429, 500, 502, 503, 504];
const WITHOUT_BODY = [401, 403];
const FURTHER_FIELDS =
  "Fields that are not listed here travel on to the upstream; those it can't honour are named in `x-modelyard-ignored` or refused.";
const LIST = new Intl.ListFormat("en");

/** Describes the endpoints in OpenAPI 3.1, for people and programs. */
export function describeApi(endpoints: readonly Endpoint[]) {
  const dialects = [...new Set(endpoints.flatMap((each) => (each.auth === "client" ? [each.dialect] : [])))];
  const nameOf = (dialect: Dialect) => (dialect === dialects[0] ? "Error" : `${dialect.name}Error`);
  const paths: Record<string, Record<string, object>> = {};
  for (const endpoint of endpoints) {
    if (!endpoint.document) continue;
    const methods = (paths[endpoint.path.replace("/*", "/{id}")] ??= {});
    methods[endpoint.method.toLowerCase()] = operation(endpoint, endpoint.document, nameOf);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Modelyard",
      version,
      description: `The APIs of ${LIST.format(dialects.map(({ name }) => name))} in front of many AI upstreams.`,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    // Relative to this document's own address: the gateway may lie below a path that a proxy strips.
    servers: [{ url: "." }],
    paths,
    components: {
      schemas: Object.fromEntries(dialects.map((dialect) => [nameOf(dialect), dialect.errorSchema])),
      securitySchemes: Object.fromEntries(
        dialects
          .flatMap(({ keyHeaders }) => keyHeaders)
          .map((header) => [schemeOf(header), keySentIn(header)]),
      ),
    },
  };
}

/** The name of a header's security scheme: the header, or `bearer`. */
function schemeOf(header: string): string {
  return header === "authorization" ? "bearer" : header;
}

function keySentIn(header: string): object {
  if (header === "authorization") return { type: "http", scheme: "bearer" };
  return { type: "apiKey", in: "header", name: header };
}

function operation(
  endpoint: Endpoint,
  { body, answer, ...document }: OperationDocument,
  nameOf: (dialect: Dialect) => string,
): object {
  if (endpoint.auth === "none") {
    const failed = endpoint.unavailable && { 503: endpoint.unavailable };
    return { tags: ["Without a key"], ...document, security: [], responses: { 200: answer, ...failed } };
  }
  const { dialect, path, others = [] } = endpoint;
  const served = [dialect, ...others.map((other) => other.dialect)];
  const statuses = body ? WITH_BODY : path.endsWith("/*") ? [...WITHOUT_BODY, 404] : WITHOUT_BODY;
  const words = [
    ...(document.description === undefined ? [] : [document.description]),
    ...(body ? [FURTHER_FIELDS] : []),
    ...others.map((other) => formOf(other.dialect)),
  ];
  return {
    tags: ["API"],
    ...document,
    ...(words.length > 0 && { description: words.join(" ") }),
    security: [...new Set(served.flatMap(({ keyHeaders }) => keyHeaders))].map((header) => ({
      [schemeOf(header)]: [],
    })),
    ...(body && { requestBody: { required: true, content: { "application/json": body } } }),
    responses: { 200: answer, ...failures(statuses, dialect, nameOf(dialect)) },
  };
}

function formOf({ name, marker }: Dialect): string {
  return `Requests with the header \`${marker}\` are answered in the form of ${name}'s API.`;
}

/** One response for each status that the dialect has for these of ours, with the codes that it may carry. */
function failures(statuses: readonly number[], dialect: Dialect, schema: string): Record<string, object> {
  const codes = (Object.keys(ERROR_CODES) as ErrorCode[]).filter((code) =>
    statuses.includes(ERROR_CODES[code]),
  );
  const byStatus = Map.groupBy(codes, (code) => dialect.error(new GatewayError(code, ""), "").status);
  return Object.fromEntries(
    [...byStatus].map(([status, own]) => [
      status,
      {
        description: own.map((code) => `\`${code}\``).join(", "),
        content: { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } },
      },
    ]),
  );
}
