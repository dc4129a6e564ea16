# Debian: the native parts of the networks' SDKs are built against glibc.
FROM node:24-bookworm-slim AS install
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev

FROM node:24-bookworm-slim
# Set the port by CAUSEWAY_PORT, not in the configuration file, so that the health check finds it.
ENV NODE_ENV=production CAUSEWAY_HOST=0.0.0.0 CAUSEWAY_DATA_DIRECTORY=/data
WORKDIR /app
COPY --from=install /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY bin ./bin
COPY src ./src
COPY adapters ./adapters
COPY config ./config
COPY docs/reference ./docs/reference
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8787
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.CAUSEWAY_PORT ?? 8787}/healthz`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "src/cli/main.ts"]
CMD ["start"]
