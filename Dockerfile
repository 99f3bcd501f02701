# Modelyard in a container: see docker-compose.yml for it with nginx in front.
#   docker build -t modelyard .
#   docker run --env-file .env -e HOST=0.0.0.0 -e PORT=8088 -p 127.0.0.1:8088:8088 -v modelyard:/app/data modelyard
# Another configuration: -v ./gateway.yaml:/app/gateway.yaml:ro

FROM oven/bun:1.4.5-slim AS dependencies
WORKDIR /app
COPY package.json bun.lock ./
# What Elysia's peers bring, TypeScript among it, is 32 MB that nothing here loads.
RUN bun install --frozen-lockfile --production --omit=peer

FROM oven/bun:1.4.5-slim
# Bun reads its bound on outgoing requests (256 unless told) only at its start.
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=8088 \
    BUN_CONFIG_MAX_HTTP_REQUESTS=65535
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE gateway.yaml ./
COPY config config
COPY plugins plugins
COPY src src
COPY toolkit toolkit
# The program is root's and can't be changed by itself; a new volume takes over the folder's owner.
RUN mkdir -m 700 data && chown bun:bun data
USER bun
VOLUME /app/data
EXPOSE 8088
# The image has no curl. Asks where the gateway listens: HOST may be one address of the machine. Needs server.host and
# server.port to be ${HOST} and ${PORT}, as in the shipped gateway.yaml. HOST=:: listens on IPv6 and IPv4.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["bun", "-e", "const { HOST, PORT } = process.env; const host = HOST === '0.0.0.0' ? '127.0.0.1' : HOST === '::' ? '::1' : HOST; process.exit((await fetch(`http://${host.includes(':') ? `[${host}]` : host}:${PORT}/health/ready`)).ok ? 0 : 1)"]
# The process gets SIGTERM itself and lets running answers end: `docker stop -t 40`, more than server.drain.
CMD ["bun", "--no-install", "src/main.ts"]
