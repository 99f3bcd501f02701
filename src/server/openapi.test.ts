import { expect, test } from "bun:test";
import { DIALECTS } from "../dialects/index.ts";
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

test("every endpoint that takes a body says what it must hold", () => {
  const posts = Object.entries(PATHS).flatMap(([path, { post }]) => (post ? [{ path, post }] : []));
  expect(posts.map(({ path }) => path)).toEqual([
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/messages/count_tokens",
  ]);
  for (const { path, post } of posts) {
    expect(Object.keys(post.requestBody?.content["application/json"].schema.properties ?? {})).toContain(
      "model",
    );
    for (const status of ["200", "400", "401", "404", "429", path.startsWith("/v1/messages") ? "529" : "503"])
      expect(post.responses).toContainKey(status);
  }
});
