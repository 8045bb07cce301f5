# The daemon with its native audio binding, without tests and tools.
#
#   docker build -t livegrad .
#   docker run --device /dev/snd -p 8440:8440 -e LIVEGRAD_HTTP_TOKEN=... -v livegrad:/state livegrad
#
# It listens on every address of the container, which the daemon does only with a token: this one, of an
# administrator, or some of `livegrad token` with their roles in the state directory. Without /dev/snd
# it plays the embedded virtual device.

FROM node:24-bookworm-slim AS dashboard
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY server/launch server/launch
COPY server/api server/api
COPY clients clients
RUN node server/launch/dashboard.mjs

FROM node:24-bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 make g++ libportaudio2 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional
COPY server/launch server/launch
RUN npm run setup

FROM node:24-bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends libportaudio2 \
 && rm -rf /var/lib/apt/lists/* \
 && usermod -aG audio node \
 && install -d -o node -g node /state
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY package.json LICENSE ./
COPY config config
COPY dsp dsp
COPY server server
COPY clients clients
COPY --from=dashboard /app/.build/dashboard .build/dashboard
ENV NODE_ENV=production \
    LIVEGRAD_HTTP_HOST=0.0.0.0 \
    LIVEGRAD_HTTP_PORT=8440 \
    LIVEGRAD_STATE_DIR=/state
USER node
VOLUME /state
EXPOSE 8440
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.LIVEGRAD_HTTP_PORT}/api/v1/status`, { headers: { authorization: `Bearer ${process.env.LIVEGRAD_HTTP_TOKEN}` } }).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "server/main.ts"]
