import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NGINX } from "../../support/nginx.ts";
import { freePort } from "../../support/free-port.ts";
import { ServerProcess } from "../process.ts";
import { contenderOf } from "./contender.ts";
import type { Contender } from "./contender.ts";

/** The floor: a proxy in C that looks into nothing. One process, and answers go on as they come. */
export async function startNginx(stubUrl: string): Promise<Contender> {
  const port = freePort();
  const directory = mkdtempSync(join(tmpdir(), "modelyard-bench-nginx-"));
  writeFileSync(join(directory, "nginx.conf"), configuration(port, stubUrl.replace("http://", "")));
  const command = [NGINX ?? "nginx", "-p", directory, "-c", "nginx.conf", "-e", "stderr"];
  const contender = contenderOf("nginx", await ServerProcess.answering(command, port));
  return {
    ...contender,
    async [Symbol.asyncDispose]() {
      await contender[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function configuration(port: number, stub: string): string {
  return `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
events { worker_connections 16384; }
http {
  access_log off;
  client_body_buffer_size 1m;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_requests 1000000000;
  upstream stub {
    server ${stub};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://stub;
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_buffering off;
    }
  }
}
`;
}
