# A stand-in for MongoDB's image, for the tests where that cannot be had, and never for money: SecantusDB as `mongod`.
#   docker build -f k8s/stand-in.Dockerfile -t mongod-stand-in:0.7.0 .
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE}
# On a base without Python: Debian's.
RUN python3 -m pip --version || { apt-get update && apt-get install -y --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*; }
COPY libs/dev-servers/secantusdb.txt /opt/
RUN python3 -m pip install --no-cache-dir --require-hashes --only-binary=:all: --no-deps --target /opt/secantusdb -r /opt/secantusdb.txt
COPY --chmod=755 libs/dev-servers/secantusdb.py /usr/local/bin/mongod
ENV PYTHONPATH=/opt/secantusdb
USER 1000:1000
ENTRYPOINT []
CMD ["mongod", "--dbpath", "/data/db", "--bind_ip_all"]
