import { join } from "node:path";
import { pathOf } from "../paths.ts";

/** What the page loads, by name. Nothing is loaded from another host. */
const ASSETS: ReadonlyMap<string, string> = new Map([
  ["viewer.css", "text/css; charset=utf-8"],
  ["viewer.js", "text/javascript; charset=utf-8"],
]);

const CONTENT_POLICY =
  "default-src 'self'; img-src data:; object-src 'none'; base-uri 'none'; form-action 'none'";

// Relative addresses, so that the page also works below a path that a proxy in front strips.
const pageIn = (folder: string): string => `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>Modelyard API</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="${folder}viewer.css">
</head>
<body>
  <main id="docs"></main>
  <script src="${folder}viewer.js"></script>
</body>
</html>
`;

/** GET /docs: the API documents, to read and to try. */
export function docsPage(http: Request): Response {
  return new Response(pageIn(pathOf(http.url).endsWith("/") ? "" : "docs/"), {
    headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": CONTENT_POLICY },
  });
}

/** GET /docs/*: what that page loads. */
export function docsAsset(http: Request): Response {
  const name = pathOf(http.url).replace(/^.*\//, "");
  const type = ASSETS.get(name);
  if (!type) return new Response("not found", { status: 404 });
  return new Response(Bun.file(join(import.meta.dir, name)), {
    headers: { "content-type": type, "cache-control": "no-cache" },
  });
}
