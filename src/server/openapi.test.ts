import { expect, test } from "bun:test";
import { telegraph } from "../../test/support/telegraph-dialect.ts";
import { jsonAnswer } from "../dialects/operation-document.ts";
import type { Endpoint } from "./endpoint.ts";
import { DIALECTS } from "../dialects/index.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import { openai } from "../dialects/openai/index.ts";
import { endpointsOf } from "./endpoints.ts";
import { describeApi } from "./openapi.ts";

const ENDPOINTS = endpointsOf(DIALECTS);

interface Described {
  readonly tags: readonly string[];
  readonly description?: string;
  readonly parameters?: readonly object[];
  readonly security: readonly object[];
  readonly requestBody?: { content: { "application/json": { schema: { properties?: object } } } };
  readonly responses: Readonly<Record<string, object>>;
}

/** Endpoints with a description and without a body, one of them open. */
const DOCUMENT = {
  summary: "What is there",
  description: "Each thing once.",
  parameters: [{ name: "after", in: "query" }],
  answer: jsonAnswer("Things", { type: "object" }),
};
const PAGES: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/open",
    auth: "none",
    document: DOCUMENT,
    page: () => new Response(),
  },
  {
    method: "GET",
    path: "/closed",
    auth: "client",
    dialect: telegraph,
    document: DOCUMENT,
    answer: () => new Response(),
  },
];

const PATHS = describeApi(ENDPOINTS).paths as Readonly<Record<string, Readonly<Record<string, Described>>>>;

test("every endpoint of the API is described, and none that isn't there", () => {
  const pages = new Set(["/", "/docs", "/docs/*", "/openapi.json"]);
  const served = ENDPOINTS.filter(({ path }) => !pages.has(path));
  const endpoints = served.map(({ method, path }) => `${method} ${path.replace("/*", "/{id}")}`);
  const described = Object.entries(PATHS).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.toSorted()).toEqual(endpoints.toSorted());
});

test("every endpoint that asks a model says what its body must hold, and which errors it may have", () => {
  for (const dialect of DIALECTS) {
    const unavailable = dialect.error(new GatewayError("upstream_unavailable", ""), "").status;
    for (const { kind, path } of dialect.endpoints) {
      if (kind !== "generate" && kind !== "count" && kind !== "embed") continue;
      const { requestBody, responses } = PATHS[path]?.["post"] ?? {};
      const { properties = {} } = requestBody?.content["application/json"].schema ?? {};
      expect(Object.keys(properties)).not.toBeEmpty();
      for (const status of [200, 400, 401, 404, 429, unavailable])
        expect(responses).toContainKey(String(status));
    }
  }
});

test("a description stands as it is written, of an open endpoint too, and only bodies have further fields", () => {
  const paths = describeApi(PAGES).paths as Record<string, Record<string, Described>>;
  const { summary, description, parameters } = DOCUMENT;
  const written = { summary, description, parameters };
  expect(paths["/open"]?.["get"]).toMatchObject({ ...written, security: [] });
  expect(paths["/closed"]?.["get"]).toMatchObject({ ...written, security: [{ "x-telegraph-key": [] }] });
  expect(PATHS["/v1/responses"]?.["post"]?.description).toEndWith("or refused.");
});

test("the ways to send a key, and the names of the APIs, are the dialects'", () => {
  const { info, components } = describeApi(endpointsOf([openai, telegraph]));
  expect(info.description).toStartWith("The APIs of OpenAI and Telegraph ");
  expect(components.securitySchemes).toEqual({
    bearer: { type: "http", scheme: "bearer" },
    "x-api-key": { type: "apiKey", in: "header", name: "x-api-key" },
    "api-key": { type: "apiKey", in: "header", name: "api-key" },
    "x-telegraph-key": { type: "apiKey", in: "header", name: "x-telegraph-key" },
  });
  expect(PATHS["/v1/messages"]?.["post"]?.security).toEqual([{ "x-api-key": [] }, { bearer: [] }]);
});
