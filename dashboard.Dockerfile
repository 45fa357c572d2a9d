# The dashboard, as a user without rights, for a read-only root; compose.yaml runs it and docs/remote.md tells more:
#
#     docker build -f dashboard.Dockerfile -t thaw .
#     docker build -f dashboard.Dockerfile -t thaw:gpu --build-arg GPU=yes .
#
# It listens to all of the container's network, so it does not start before people sign in (mount a secrets.toml at
# /thaw/.streamlit/secrets.toml) or the switch at the end says that everyone who reaches it may use it.
FROM python:3.11-slim

ARG GPU=no
WORKDIR /thaw
COPY requirements.lock signin.lock gpu.lock ./
# Every package at one version with its hashes (`.ci/lock` writes the files); the last is 4 GB of NVIDIA's libraries.
RUN pip install --no-cache-dir --require-hashes -r requirements.lock -r signin.lock
RUN if [ "$GPU" = yes ]; then pip install --no-cache-dir --require-hashes -r gpu.lock ; fi
COPY app.py ./
COPY .streamlit/config.toml ./.streamlit/config.toml
COPY pages ./pages
COPY thaw ./thaw
COPY tlcore ./tlcore
# /data is for what Thaw keeps and downloads, /photos for folders to import from.
RUN useradd --system --uid 10001 --no-create-home --home-dir /data/home thaw && mkdir -p /data/home /photos && chown -R thaw /data
USER 10001

ENV HOME=/data/home THAW_WORKSPACE=/data/workspace PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python", "-c", "import os; from urllib.request import ProxyHandler, build_opener; base = os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH', '').strip('/'); build_opener(ProxyHandler({})).open('http://127.0.0.1:8501' + (base and '/' + base) + '/_stcore/health', timeout=4)"]
ENTRYPOINT ["streamlit", "run", "app.py", "--server.headless=true", "--server.port=8501", "--server.address=0.0.0.0", "--", "--root", "/photos"]
