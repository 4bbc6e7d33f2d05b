# The image of CloudLink Presence: docker build -t cloudlink-presence .
# For a deployment give the base image by its digest: --build-arg PYTHON_IMAGE=python@sha256:...
# One role a container: docker run cloudlink-presence [web|worker|migrate]; without a word, all in one.

ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
COPY requirements/runtime.txt requirements/runtime.txt
RUN python -m venv --without-pip /venv \
    && python -m pip --python /venv/bin/python install --no-cache-dir --no-compile --only-binary=:all: \
        --require-hashes -r requirements/runtime.txt
COPY app.py settings.py ./
COPY bot bot
COPY sync sync
COPY storage storage
COPY core core
# Nothing can be compiled later, on a read-only file system: what the product imports is compiled by importing it.
RUN /venv/bin/python -c "import app, sync.teams.sdk, sync.jobs.postgres, alembic.command, msal" \
    && /venv/bin/python -m compileall -q app.py settings.py bot sync storage core

FROM ${PYTHON_IMAGE}
RUN python -m pip uninstall --quiet --yes --root-user-action=ignore setuptools wheel pip \
    && install --directory --owner=10001 --group=10001 --mode=700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=3978 \
    OPERATIONS_HOST=0.0.0.0 OPERATIONS_PORT=3979 DATA_DIR=/data
VOLUME /data
EXPOSE 3978
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['OPERATIONS_PORT'] + '/readyz', timeout=4)"]
ENTRYPOINT ["python", "app.py"]
