# Linted with hadolint; its lines ran in a fresh root of Debian 13, not on a container host.
# Without CUDA:
#   docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu -t mnist-lightning .
FROM python:3.13-slim
ARG TORCH_INDEX=
# Downloaded weights and the caches of libraries go there, whichever user runs the container.
ENV HOME=/tmp
WORKDIR /app
# Without versions here: pyproject.toml states them, and pip checks both against it below.
# hadolint ignore=DL3013
RUN if [ -n "$TORCH_INDEX" ]; then \
      pip install --no-cache-dir torch torchvision --index-url "$TORCH_INDEX"; fi
COPY . .
RUN pip install --no-cache-dir -e ".[export,images]" && mkdir -p data output && chmod 777 data output
USER 1000
EXPOSE 6006 8000
CMD ["python", "scripts/train.py", "--model", "cnn"]
