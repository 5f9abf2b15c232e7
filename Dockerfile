# headwise serve, on the CPU. The artifacts, and the model where it is no embedded one, are mounted
# when it runs; the image holds no weights. See docs/server.md.
#
# It runs on the CPU as it is. PyTorch's index of CPU wheels makes it smaller by gigabytes:
# --build-arg TORCH_INDEX=ADDRESS, as PyTorch's page on installing gives it; the same for another
# version of CUDA. On a GPU (the host needs the driver and the NVIDIA Container Toolkit):
# docker run --gpus all ... --device cuda.
FROM python:3.12-slim

ARG TORCH_INDEX=
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
ENV HF_HOME=/models HF_HUB_OFFLINE=1

WORKDIR /app
RUN pip install torch==2.13.0 ${TORCH_INDEX:+--index-url ${TORCH_INDEX}}
COPY pyproject.toml README.md LICENSE ./
COPY constraints/tested.txt constraints/tested.txt
COPY src src
RUN pip install -c constraints/tested.txt ".[server,http,vision,device-map]" \
    && useradd --create-home --uid 10001 headwise \
    && mkdir /artifacts /models && chown headwise /artifacts /models

USER headwise
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
# No shell in between: SIGTERM reaches the server, which then finishes what it accepted.
ENTRYPOINT ["headwise", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--help"]
