# The same steps as `make run`: locked dependencies by hash, then the project itself.
# The first stage has a C compiler, for the one part that is compiled (ADR 24); what is delivered has none.
FROM python:3.11 AS build
WORKDIR /custos
COPY requirements.lock pyproject.toml setup.py README.md LICENSE ./
RUN python -m venv .venv
RUN .venv/bin/python -m pip install --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
COPY config ./config
COPY recorder ./recorder
COPY retention ./retention
COPY api ./api
COPY appliance ./appliance
RUN .venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data custos && mkdir /data && chown custos /data
COPY --from=build /custos /custos
WORKDIR /data
USER custos
VOLUME /data
ENV PATH="/custos/.venv/bin:$PATH" \
    CUSTOS_BOX__DATA_DIR="/data/box" \
    CUSTOS_HTTP__HOST="0.0.0.0"
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["custos", "run"]
