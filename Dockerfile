# The commands in a container, as a user without rights, pinned as the tests are.
# Everything but PyTorch is held to its hash; requirements-torch.txt says why.
#
#   docker build --tag imaginairy --build-arg TORCH_INDEX=ADDRESS .
#   docker run --rm --volume imaginairy:/cache --volume "$PWD:/pictures" \
#       imaginairy imagine "photo of a dog" --model storybook
#   docker run --rm --interactive --tty imaginairy          # the shell
#
# TORCH_INDEX is where PyTorch's builds are: with the address that pytorch.org shows for
# the CPU, the image is small. Without it pip takes its default, on x86_64 a build for
# CUDA of several gigabytes; run that with `--gpus all`.

ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ARG TORCH_INDEX=""
WORKDIR /source
COPY requirements.txt requirements-torch.txt ./
# Apart from the rest, so that a change of ours does not fetch it again.
RUN python -m venv /opt/imaginairy \
    && /opt/imaginairy/bin/pip install --no-cache-dir \
        --require-hashes --only-binary :all: --requirement requirements.txt \
    && /opt/imaginairy/bin/pip install --no-cache-dir \
        ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} --requirement requirements-torch.txt
COPY pyproject.toml setup.py README.md LICENSE NOTICE ./
COPY imaginairy imaginairy
RUN /opt/imaginairy/bin/pip install --no-cache-dir \
    --no-deps --no-build-isolation .

FROM python:${PYTHON}-slim
# Open to any user, for `docker run --user`.
RUN useradd --create-home --uid 1000 imaginairy \
    && install --directory --mode 1777 /cache /pictures
COPY --from=build /opt/imaginairy /opt/imaginairy
ENV PATH="/opt/imaginairy/bin:$PATH" \
    HF_HOME=/cache/huggingface \
    XDG_CACHE_HOME=/cache \
    XDG_STATE_HOME=/cache/state
USER 1000
WORKDIR /pictures
VOLUME /cache
ENTRYPOINT ["aimg"]
