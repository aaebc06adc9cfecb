# The gate as a container image of one static file: `docker build -f infra/gate.Dockerfile .` from the top of the repository, on each architecture
# that sessions run on. Its entry is `/gate run …` in front of an app, `/gate edge` as an edge, or `/gate install FOLDER` to bring itself into another image.
FROM rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /project
COPY . .
RUN cargo build --profile gate --locked --package casting-gate --bin gate && cp target/gate/gate /gate
# Nothing may be missing where there is nothing else.
RUN ! ldd /gate 2>/dev/null | grep -q '=>' && /gate --version

FROM scratch
LABEL org.opencontainers.image.title="session casting gate" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /gate /gate
ENTRYPOINT ["/gate"]
