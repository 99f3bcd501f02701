import { expect, test } from "bun:test";
import { proxyResolver, formatProxy } from "./environment.ts";

const PROXY = "http://user:secret@proxy.test:3128";
const THROUGH = "http://proxy.test:3128";

function proxyFor(url: string, environment: Readonly<Record<string, string>>): string | undefined {
  const proxy = proxyResolver(environment)?.(new URL(url));
  return proxy && formatProxy(proxy);
}

test.each([
  ["http://far.test/v1", { HTTP_PROXY: PROXY }, THROUGH],
  ["http://far.test/v1", { http_proxy: PROXY }, THROUGH],
  ["http://far.test/v1", { http_proxy: "", HTTP_PROXY: PROXY }, THROUGH],
  ["http://far.test/v1", { HTTP_PROXY: "proxy.test:3128" }, THROUGH],
  ["http://far.test/v1", { ALL_PROXY: PROXY }, THROUGH],
  ["https://far.test/v1", { ALL_PROXY: PROXY }, THROUGH],
  ["https://far.test/v1", { HTTPS_PROXY: PROXY }, THROUGH],
  ["http://ollama:11434", { HTTP_PROXY: PROXY }, THROUGH],
  ["https://far.test/v1", { HTTP_PROXY: PROXY }, undefined],
  ["http://far.test/v1", { HTTPS_PROXY: PROXY }, undefined],
  ["http://far.test/v1", { HTTP_PROXY: "socks5://proxy.test:1080" }, undefined],
  ["http://far.test/v1", { HTTP_PROXY: "" }, undefined],
  ["http://far.test/v1", {}, undefined],
])("%p in %p goes through %p", (url, environment, expected) => {
  expect(proxyFor(url, environment)).toBe(expected);
});

test.each([
  "http://localhost:11434",
  "http://LOCALHOST.:11434",
  "http://model.localhost:80",
  "http://127.0.0.1:8000",
  "http://127.1.2.3",
  "http://[::1]:8000",
  "http://[::ffff:127.0.0.1]:8000",
  "https://localhost",
])("%p is this machine, and never behind a proxy", (url) => {
  expect(proxyFor(url, { ALL_PROXY: PROXY })).toBeUndefined();
});

test.each([
  ["*", "http://far.test", true],
  ["far.test", "http://far.test", true],
  ["FAR.test", "http://far.test", true],
  ["other.test far.test", "http://far.test", true],
  ["other.test,far.test", "http://far.test", true],
  ["far.test", "http://api.far.test", true],
  [".far.test", "http://api.far.test", true],
  [".far.test", "http://far.test", true],
  ["*.far.test", "http://api.far.test", true],
  ["far.test:8080", "http://far.test:8080", true],
  ["far.test:443", "https://far.test", true],
  ["10.1.2.3", "http://10.1.2.3:8000", true],
  ["10.0.0.0/8", "http://10.1.2.3:8000", true],
  ["[fd00::1]", "http://[fd00::1]:8000", true],
  ["[fd00::1]:8000", "http://[fd00::1]:8000", true],
  ["fd00::/8", "http://[fd00::1]:8000", true],
  ["far.test:8080", "http://far.test", false],
  ["r.test", "http://far.test", false],
  ["far.test.evil", "http://far.test", false],
  ["10.0.0.0/8", "http://11.1.2.3", false],
  ["10.0.0.0/8", "http://far.test", false],
  ["2.3", "http://10.1.2.3", false],
  ["", "http://far.test", false],
])("NO_PROXY=%p and %p: direct is %p", (exceptions, url, isDirect) => {
  for (const name of ["NO_PROXY", "no_proxy"]) {
    expect(proxyFor(url, { ALL_PROXY: PROXY, [name]: exceptions })).toBe(isDirect ? undefined : THROUGH);
  }
});
