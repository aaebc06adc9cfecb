# The gate as a container image of one file: `docker build -f infra/gate.Dockerfile .` from the top of the repository.
FROM rust:1-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /project
COPY . .
RUN cargo build --profile gate --locked --package casting-gate --bin gate && cp target/gate/gate /gate

FROM scratch
COPY --from=build /gate /gate
ENTRYPOINT ["/gate"]
