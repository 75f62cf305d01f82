# The exporter's image, and with `--target demo` one of the simulated registry that deploy/compose shows it with:
#   docker build --build-arg REVISION="$(git rev-parse --short=12 HEAD)" -t registry-backend-exporter:0.1.0 .
#   docker build --target demo -t registry-backend-demo:0.1.0 .
# Nothing in it is of one architecture. docs/howto/docker.md says how to run it.
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${BASE_IMAGE} AS build
COPY scripts/install-deps /src/scripts/install-deps
RUN /src/scripts/install-deps build && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt CMakePresets.json LICENSE ./
COPY deploy/CMakeLists.txt deploy/
COPY deploy/debian deploy/debian
COPY deploy/systemd deploy/systemd
COPY docs/registry_backend_exporter.1 docs/
COPY exporter exporter
# The same for every revision, which is told later: this layer is compiled once.
RUN cmake --preset release -DREGISTRY_BACKEND_TESTS=OFF && cmake --build --preset release

# One file knows the version and the revision.
FROM build AS install
ARG VERSION=0.1.0
ARG REVISION=unknown
RUN cmake --preset release -DREGISTRY_BACKEND_VERSION="$VERSION" -DREGISTRY_BACKEND_REVISION="$REVISION" \
  && cmake --build --preset release \
  && DESTDIR=/installed cmake --install build/release --prefix /usr --component exporter --strip

# The exporter's objects are there already; what is compiled here is the simulated registry.
FROM build AS build-demo
RUN scripts/install-deps demo && rm -rf /var/lib/apt/lists/*
COPY tests tests
RUN cmake --preset release -DREGISTRY_BACKEND_TESTS=ON \
  && cmake --build --preset release --target registry_simulator \
  && strip build/release/registry_simulator

# The libraries, and no program that runs as anybody but its caller.
FROM ${BASE_IMAGE} AS runtime
COPY scripts/install-deps /tmp/install-deps
RUN /tmp/install-deps runtime \
  && apt-get clean \
  && rm -rf /tmp/install-deps /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/*.log \
  && find / -xdev -type f -perm /6000 -exec chmod a-s '{}' + \
  && install -d -o 65532 -g 65532 -m 750 /var/lib/registry-backend-exporter

FROM runtime AS demo
COPY --from=build-demo /src/build/release/registry_simulator /usr/bin/registry_simulator
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="registry-backend-demo" \
      org.opencontainers.image.description="Simulated registry for trying Registry Backend Exporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 65532:65532
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5000"]
ENTRYPOINT ["registry_simulator"]
CMD ["--listen", "0.0.0.0:5000"]

# The last one is what is built unless another is asked for.
FROM runtime AS exporter
COPY --from=install /installed/ /
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="registry-backend-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the storage hosts behind a container registry" \
      org.opencontainers.image.url="https://github.com/registry-backend-exporter/registry-backend-exporter" \
      org.opencontainers.image.source="https://github.com/registry-backend-exporter/registry-backend-exporter" \
      org.opencontainers.image.documentation="https://github.com/registry-backend-exporter/registry-backend-exporter/blob/main/docs/howto/docker.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 65532:65532
# What is known is kept in data/ here, whatever flags are given.
WORKDIR /var/lib/registry-backend-exporter
VOLUME /var/lib/registry-backend-exporter
EXPOSE 9877
# With TLS or another address, give a check of your own with the flags that `healthcheck --help` lists.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
  CMD ["registry_backend_exporter", "healthcheck"]
ENTRYPOINT ["registry_backend_exporter"]
