# Serves one export on a CPU, as a user without rights:
#
#     docker build -t thaw-serve .
#     docker run --rm -p 127.0.0.1:8600:8600 -v "$PWD/export:/model:ro" thaw-serve
#
# Another host than 127.0.0.1 before the port lets other machines in; the service asks nobody for a password.
FROM python:3.11-slim

WORKDIR /thaw
COPY serving.lock ./
# Only what serving needs, every package at one version with its hashes (`.ci/lock` writes the file).
RUN pip install --no-cache-dir --require-hashes -r serving.lock
COPY tlcore ./tlcore
COPY thaw ./thaw
RUN useradd --system --no-create-home --home-dir /nonexistent thaw && mkdir /model
USER thaw

ENV THAW_WORKSPACE=/tmp/thaw PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 8600
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8600/health', timeout=4)"]
CMD ["python", "-m", "thaw", "serve", "/model", "--host", "0.0.0.0", "--port", "8600"]
