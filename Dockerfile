# Serves one export on a CPU, as a user without rights:
#
#     docker build -t thaw-serve .
#     docker run --rm -p 127.0.0.1:8600:8600 -v "$PWD/export:/model:ro" thaw-serve
#
# Another host than 127.0.0.1 before the port lets other machines in; the service asks nobody for a password.
FROM python:3.11-slim

WORKDIR /thaw
COPY requirements.txt ./
# Only what serving needs, at the versions of requirements.txt; tensorflow-cpu is the same TensorFlow without GPU parts.
RUN sed -n 's/^tensorflow==/tensorflow-cpu==/p; /^\(keras\|starlette\|uvicorn\|python-multipart\|prometheus-client\|pillow\|numpy\|platformdirs\|filelock\|psutil\)==/p' requirements.txt > serving.txt && pip install --no-cache-dir -r serving.txt
COPY tlcore ./tlcore
RUN useradd --system --no-create-home --home-dir /nonexistent thaw && mkdir /model
USER thaw

ENV TLCORE_WORKSPACE=/tmp/thaw PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 8600
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8600/health', timeout=4)"]
CMD ["python", "-m", "tlcore", "serve", "/model", "--host", "0.0.0.0", "--port", "8600"]
