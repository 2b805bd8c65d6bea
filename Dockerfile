# Muster in an image of nothing but one static program.
#
#   docker build -t muster .                       builds it in a container; needs a registry for the builder's image
#   docker build --target prebuilt -t muster .     takes docker/prebuilt/muster, which scripts/docker-up builds here
#
# Both give the same image. The classic builder makes every stage that stands above the one it is asked for, so
# `prebuilt` stands above all that need a registry, and nothing here needs BuildKit.

FROM scratch AS base
# Folders and nothing in them: where a volume is mounted on one, it takes over that folder's owner and mode.
COPY --chown=65532:65532 docker/root/ /
USER 65532:65532
WORKDIR /var/lib/muster
# The same port for all, so that one name is enough to dial: every container has addresses of its own.
ENV PATH=/bin \
    MUSTER_HOME=/var/lib/muster \
    MUSTER_LISTEN=/ip4/0.0.0.0/tcp/4001,/ip4/0.0.0.0/udp/4001/quic-v1
STOPSIGNAL SIGTERM
# Docker starts two programs for each look, which takes as much as the node itself takes in fifteen seconds of rest.
HEALTHCHECK --interval=60s --timeout=5s --start-period=30s --retries=2 CMD ["muster", "status"]
ENTRYPOINT ["muster"]
CMD ["start", "--headless"]

FROM base AS prebuilt
COPY docker/prebuilt/ /bin/

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN RUSTFLAGS='-C target-feature=+crt-static --cfg poly1305_backend="soft"' cargo build --release --locked -p muster \
      --target "$(rustc -vV | sed -n 's/^host: //p')" --target-dir /target \
 && mkdir /out \
 && cp /target/*/release/muster /out/

FROM base AS muster
COPY --from=build /out/ /bin/
