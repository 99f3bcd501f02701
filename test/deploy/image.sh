#!/usr/bin/env bash
# Builds the Dockerfile without Docker and tries the image: what is in it, its user, its health check, a streamed
# answer, what it writes to its volume, and that SIGTERM lets a running stream end.
#
#   apt-get install -y --no-install-recommends buildah busybox-static curl
#   bash test/deploy/image.sh        (Debian 12, as root; needs Node with npm; about half a minute)
#
# By hand, not by CI. It stands on a stand-in for oven/bun: busybox, this machine's C library and Bun, and the user
# `bun`. So it proves the Dockerfile, not the real base image. Everything is in one temporary folder and goes with it.
set -euo pipefail
cd "$(dirname "$0")/../.."

T=$(mktemp -d)
export CONTAINERS_STORAGE_CONF=$T/storage.conf BUILDAH_ISOLATION=chroot
printf '[storage]\ndriver="overlay"\ngraphroot="%s/graph"\nrunroot="%s/run"\n' "$T" "$T" >"$T/storage.conf"
running=()
clean_up() {
  for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  buildah rm -a >/dev/null 2>&1 || true
  buildah rmi -a -f >/dev/null 2>&1 || true
  rm -rf "$T"
}
trap clean_up EXIT

say() { printf '\n== %s\n' "$*"; }
expect() { # what, wanted, found
  [ "$2" = "$3" ] || { echo "WRONG: $1 is $3, not $2"; exit 1; }
  echo "$1: $3"
}

say "a stand-in for oven/bun:1.4.5-slim"
bun=$(npx --yes bun@1.4.5 -e 'console.log(process.execPath)')
root=$T/rootfs
mkdir -p "$root"/{bin,etc,tmp,proc,sys,dev,usr/local/bin,root} "$root/home/bun/app"
chmod 1777 "$root/tmp"
cp "$bun" "$root/usr/local/bin/bun"
cp "$(command -v busybox)" "$root/bin/busybox"
for tool in sh mkdir chown chmod ls; do ln -s busybox "$root/bin/$tool"; done
ldd "$bun" | grep -oE '/[^ ]+' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
for library in libnss_files.so.2 libnss_dns.so.2 libresolv.so.2; do
  cp -L "/lib/x86_64-linux-gnu/$library" "$root/lib/x86_64-linux-gnu/" 2>/dev/null || true
done
printf 'root:x:0:0::/root:/bin/sh\nbun:x:1000:1000::/home/bun:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nbun:x:1000:\n' >"$root/etc/group"
base=$(buildah from scratch)
buildah copy -q "$base" "$root" / >/dev/null
buildah config --workingdir /home/bun/app --env PATH=/usr/local/bin:/bin "$base"
buildah commit -q "$base" docker.io/oven/bun:1.4.5-slim >/dev/null

say "buildah build"
# A build machine may reach its package registry only through a certificate of its own; nothing of it stays.
certificates=()
[ -z "${SSL_CERT_FILE:-}" ] || certificates=(-v "$SSL_CERT_FILE:/etc/ssl/cert.pem:ro")
started=$SECONDS
buildah build --pull-never --format docker "${certificates[@]}" -t modelyard "$PWD" 2>&1 | grep -vE '^(Getting|Copying|Writing|Storing)'
echo "took $((SECONDS - started)) s"

container=$(buildah from --pull-never localhost/modelyard)
buildah inspect --type image localhost/modelyard >"$T/image.json"
inspect() { "$bun" -e "console.log(JSON.stringify((await Bun.file('$T/image.json').json()).Docker.config.$1))"; }
say "the image"
expect user '"bun"' "$(inspect User)"
expect command '["bun","--no-install","src/main.ts"]' "$(inspect Cmd)"
echo "environment: $(inspect Env)"
echo "health check: $(inspect Healthcheck)"
mounted=$(buildah mount "$container")
(cd "$mounted/app" && du -sh -- * && du -sm node_modules/* node_modules/@*/* | sort -rn | head -5)
expect "tests in the image" 0 "$(find "$mounted/app" -path '*/node_modules' -prune -o -name '*.test.ts' -print | wc -l)"
expect "owner and mode of data" "1000:1000 700" "$(stat -c '%u:%g %a' "$mounted/app/data")"
expect "owner of src" "0:0" "$(stat -c '%u:%g' "$mounted/app/src")"

say "the shipped configuration"
buildah run "$container" -- bun src/cli/main.ts check

say "a gateway with a stranger's plugin, as the image's user"
port=$("$bun" -e 'const s = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() }); console.log(s.port); s.stop(true)')
mkdir -m 755 "$T/site"
chmod 755 "$T"
cat >"$T/site/gateway.yaml" <<YAML
server: { host: "\${HOST}", port: "\${PORT}" }
keys: [{ name: test, key: sk-test-0123456789 }]
upstreams: { slow: { plugin: ./slow.ts } }
storage: { database: "sqlite:/app/data/modelyard.db" }
YAML
cat >"$T/site/slow.ts" <<'PLUGIN'
import { definePlugin, Type } from "modelyard/plugin";

export default definePlugin({
  apiVersion: 1,
  name: "slow",
  options: Type.Object({}),
  open: () => ({
    models: async () => [{ id: "slow" }],
    async *chat() {
      for (let count = 1; count <= 6; count++) {
        yield { type: "text", text: `${count} ` };
        await Bun.sleep(300);
      }
      yield { type: "finish", reason: "stop" };
    },
  }),
});
PLUGIN
buildah config --env "PORT=$port" --env HOST=127.0.0.1 --env GATEWAY_CONFIG=/app/site/gateway.yaml "$container"
health_check=$(inspect Healthcheck | "$bun" -e 'console.log(JSON.parse(await Bun.stdin.text()).Test.at(-1))')
is_healthy() { buildah run "$container" -- bun -e "$health_check" >/dev/null 2>&1 && echo yes || echo no; }
expect "healthy before the start" no "$(is_healthy)"
buildah run -v "$T/site:/app/site:ro" "$container" -- bun src/main.ts >"$T/log" 2>&1 &
run=$!
running+=("$run")
curl -s --retry 20 --retry-delay 1 --retry-connrefused -o "$T/ready" "http://127.0.0.1:$port/health/ready" || {
  cat "$T/log"
  exit 1
}
expect "healthy after it" yes "$(is_healthy)"

# The gateway itself, somewhere below `buildah run`.
inner() {
  local child
  for child in $(cat "/proc/$1/task/"*/children); do
    if [ "$(cat "/proc/$child/comm")" = bun ]; then echo "$child"; else inner "$child"; fi
  done
}
gateway=$(inner "$run")
expect "runs as" 1000 "$(stat -c %u "/proc/$gateway")"
expect "files in the volume" "1000 modelyard.db 1000 secret.key" \
  "$(cd "/proc/$gateway/root/app/data" && stat -c '%u %n' modelyard.db secret.key | xargs)"
expect "data on a file system of its own" yes "$(grep -q ' /app/data ' "/proc/$gateway/mountinfo" && echo yes || echo no)"

say "a streamed answer, and SIGTERM in the middle of it"
begun=$(date +%s%N)
stamp() { while IFS= read -r line; do [ -z "$line" ] || printf '%5d ms  %s\n' $((($(date +%s%N) - begun) / 1000000)) "$line"; done; }
curl -sN "http://127.0.0.1:$port/v1/chat/completions" -H "authorization: Bearer sk-test-0123456789" \
  -H "content-type: application/json" -d '{"model":"slow","stream":true,"messages":[{"role":"user","content":"Hi"}]}' |
  stamp >"$T/answer" &
answer=$!
sleep 0.8
kill -TERM "$gateway"
echo "SIGTERM after $((($(date +%s%N) - begun) / 1000000)) ms; then ready says $(curl -s "http://127.0.0.1:$port/health/ready")"
wait "$answer"
cut -c 1-160 "$T/answer"
expect "the stream's last line" "data: [DONE]" "$(tail -1 "$T/answer" | cut -c 11-)"
code=0
wait "$run" || code=$?
running=()
expect "the process's exit code" 0 "$code"
cat "$T/log"
echo
echo "all is well"
