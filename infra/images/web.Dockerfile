# A web app with the gate in: static files behind a small web server. Replace server and files with your own, and keep the rest.
ARG BASE=debian:bookworm-slim
ARG GATE=casting/gate:latest
FROM ${GATE} AS gate

# hadolint ignore=DL3006
FROM ${BASE}
LABEL org.opencontainers.image.title="session casting: web app" org.opencontainers.image.licenses="Apache-2.0"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends busybox \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home --shell /bin/sh app
COPY --from=gate /gate /usr/local/bin/gate
COPY web/ /srv/www/
USER 1000:1000
ENTRYPOINT ["/usr/local/bin/gate", "run", "--"]
CMD ["sh", "-c", "exec busybox httpd -f -p \"0.0.0.0:$PORT\" -h /srv/www"]
