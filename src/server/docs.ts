import { join } from "node:path";
import { DOCUMENT } from "./openapi.ts";
import { pathOf } from "./paths.ts";

/** The viewer's own files, from the installed package: nothing is loaded from elsewhere. */
const ASSETS: ReadonlyMap<string, string> = new Map([
  ["swagger-ui.css", "text/css; charset=utf-8"],
  ["swagger-ui-bundle.js", "text/javascript; charset=utf-8"],
]);

const CONTENT_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'";

// Relative addresses, so that the page also works below a path that a proxy in front strips.
const pageIn = (folder: string): string => `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>Modelyard API</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="${folder}swagger-ui.css">
</head>
<body>
  <div id="docs"></div>
  <script src="${folder}swagger-ui-bundle.js"></script>
  <script src="${folder}start.js"></script>
</body>
</html>
`;

const START = `SwaggerUIBundle({
  url: new URL("../openapi.json", document.currentScript.src).href,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
});
`;

/** GET /docs: the API documents, to read and to try. */
export function docsPage(http: Request): Response {
  return new Response(pageIn(pathOf(http.url).endsWith("/") ? "" : "docs/"), {
    headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": CONTENT_POLICY },
  });
}

/** GET /docs/*: what that page needs. */
export function docsAsset(http: Request): Response {
  const name = pathOf(http.url).replace(/^.*\//, "");
  const type = ASSETS.get(name);
  if (name === "start.js")
    return new Response(START, { headers: { "content-type": "text/javascript; charset=utf-8" } });
  if (!type) return new Response("not found", { status: 404 });
  const folder = join(Bun.resolveSync("swagger-ui-dist/package.json", import.meta.dir), "..");
  return new Response(Bun.file(join(folder, name)), {
    headers: { "content-type": type, "cache-control": "max-age=86400" },
  });
}

/** GET /openapi.json: the same for programs (OpenAPI 3.1). */
export function openapiDocument(): Response {
  return Response.json(DOCUMENT);
}
