# syntax=docker/dockerfile:1
# The image of one service: docker build --build-arg SERVICE=token-exchange --tag tokenmesh/token-exchange .
# SERVICE is a folder of services/. Node runs the TypeScript as it is, so nothing is compiled, and nothing is needed but what package.json asks for.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS install
ARG SERVICE
WORKDIR /mesh
COPY package.json pnpm-workspace.yaml pnpm-lock.yaml ./
COPY proto proto
COPY packages packages
COPY services/${SERVICE} services/${SERVICE}
# The command is in each image for its healthcheck. As in the workspace node_modules is not flat: what a package does not declare, it cannot import.
RUN npx --yes pnpm@12.21.0 install --prod --frozen-lockfile --filter "@tokenmesh/${SERVICE}..." --filter "@tokenmesh/cli..."

FROM ${NODE_IMAGE}
# Where docker-compose.yml mounts the volumes that its first job fills: they get their owner from here.
RUN install --directory --owner=node --group=node --mode=0700 /credentials /data
COPY --from=install /mesh /mesh
WORKDIR /mesh
USER 1000:1000
# Modules that were stripped of their types once need not be again; /tmp is a tmpfs.
ENV NODE_ENV=production NODE_COMPILE_CACHE=/tmp/node-compile-cache
ENTRYPOINT ["node"]
# TOKENMESH_CA_FILE, TOKENMESH_TLS_CERT_FILE and TOKENMESH_TLS_KEY_FILE say how it gets in.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "packages/cli/src/main.ts", "health", "localhost:7443"]
