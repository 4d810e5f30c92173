# For skaffold dev: dist/ as tsc --watch on the developer's machine leaves it, and a node that starts again when a file of it changes. A file
# of its own, since skaffold watches all that a Dockerfile copies, whatever the target: a changed source would build the image anew.
ARG BASE=node:24-bookworm-slim

FROM ${BASE}
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund
# skaffold writes into it, by tar. In place: node --watch sees no second change of a file that was replaced.
ENV TAR_OPTIONS=--overwrite
COPY --chown=1000:1000 dist dist
USER 1000:1000
ENTRYPOINT []
CMD ["node", "--watch", "dist/apps/sms-gateway/src/main.js"]
