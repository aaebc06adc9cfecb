# Chromium on a screen of its own, with the gate in: `infra/images/build.sh` makes it for both architectures.
# X server and page come from Debian (TigerVNC, noVNC); nothing encodes video, see docs/images.md.
ARG BASE=debian:bookworm-slim
ARG GATE=casting/gate:latest
FROM ${GATE} AS gate

# hadolint ignore=DL3006
FROM ${BASE}
LABEL org.opencontainers.image.title="session casting: Chromium" org.opencontainers.image.licenses="Apache-2.0"
# Debian's security updates are wanted, so no version is held.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates chromium fonts-dejavu-core fonts-noto-cjk fonts-noto-color-emoji \
        matchbox-window-manager novnc tigervnc-standalone-server websockify \
    && rm -rf /var/lib/apt/lists/* \
    && ln -s vnc.html /usr/share/novnc/index.html \
    && useradd --uid 1000 --create-home --shell /bin/sh app
COPY --from=gate /gate /usr/local/bin/gate
COPY screen/ /usr/local/bin/
USER 1000:1000
WORKDIR /home/app
ENV HOME=/home/app LANG=C.UTF-8
ENTRYPOINT ["/usr/local/bin/gate", "run", "--"]
CMD ["start-screen", "matchbox-window-manager -use_titlebar no", "open-browser --kiosk"]
