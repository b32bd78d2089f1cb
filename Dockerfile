# ketline: the service in any role (`up`, `api`, `worker`, `migrate`). tests: the end-to-end test of a running stack.

FROM python:3.12-slim-bookworm AS build
# Extras of the package for external backends, each as an option: "--extra braket --extra qbraid".
ARG EXTRAS=""
ENV UV_CACHE_DIR=/var/cache/uv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/ketline \
    UV_SYSTEM_CERTS=1
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /src
# The dependencies change less often than the code: a layer of their own.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN --mount=type=cache,target=/var/cache/uv uv sync --frozen --no-install-project --extra tracing $EXTRAS
COPY src src
COPY migrations migrations
COPY examples examples
RUN --mount=type=cache,target=/var/cache/uv uv sync --frozen --no-editable --extra tracing $EXTRAS


FROM build AS tests
RUN --mount=type=cache,target=/var/cache/uv uv sync --frozen --group dev --no-editable
COPY tests/stack tests/stack
ENV PATH=/opt/ketline/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
CMD ["pytest", "-p", "no:cacheprovider", "tests/stack"]


FROM build AS slim
RUN apt-get update && apt-get install --yes --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
COPY deploy/image/slim.sh ./
RUN sh slim.sh /opt/ketline


FROM python:3.12-slim-bookworm AS ketline
RUN groupadd --system --gid 10001 ketline \
    && useradd --system --uid 10001 --gid 10001 --home-dir /data --shell /usr/sbin/nologin ketline \
    && install --directory --owner=10001 --group=10001 --mode=0750 /data \
    && install --directory --owner=10001 --group=10001 --mode=0755 /run/ketline
COPY --from=slim /opt/ketline /opt/ketline
COPY --chmod=0644 healthcheck.py /opt/ketline/
ENV PATH=/opt/ketline/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    KETLINE_HOST=0.0.0.0 \
    KETLINE_PORT=8000 \
    KETLINE_DATA_DIR=/data \
    NUMBA_CACHE_DIR=/tmp/numba
# Only /tmp, where Braket's simulator keeps what it compiles, and /data by the embedded service, are ever written; the
# rest may be read-only.
USER 10001:10001
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-IS", "/opt/ketline/healthcheck.py"]
ENTRYPOINT ["ketline"]
CMD ["up"]
# Last, so that they do not make the layers above anew: docs/releasing.md gives the values.
ARG VERSION=0.1.0
ARG REVISION=""
ARG CREATED=""
ENV KETLINE_REVISION=$REVISION
LABEL org.opencontainers.image.title="Ketline" \
    org.opencontainers.image.description="Runs OpenQASM programs as durable tasks on Qiskit Aer" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version=$VERSION \
    org.opencontainers.image.revision=$REVISION \
    org.opencontainers.image.created=$CREATED
