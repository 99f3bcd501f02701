import { expect, test } from "bun:test";
import { DIALECTS } from "../dialects/index.ts";
import { GatewayError } from "../errors/gateway-error.ts";
import { endpointsOf } from "./endpoints.ts";
import { describeApi } from "./openapi.ts";

const ENDPOINTS = endpointsOf(DIALECTS);

interface Described {
  readonly requestBody?: { content: { "application/json": { schema: { properties?: object } } } };
  readonly responses: Readonly<Record<string, object>>;
}

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
