# The service without torch. Targets: cpu (default), features (takes no videos) and gpu.
#   docker build --target cpu -t ecm-localizer:cpu .
#   docker run -p 8000:8000 -v "$PWD/models:/models:ro" ecm-localizer:cpu

FROM python:3.11-slim-bookworm AS python
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1

# Fills /opt/venv with the pip of another environment, so that the images have none.
FROM python AS builder
RUN apt-get update && apt-get install --yes --no-install-recommends binutils
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/venv
WORKDIR /src

# Requirements change seldom, the code often: each has a layer of its own.
FROM builder AS requirements
COPY pyproject.toml constraints.txt deploy/install_requirements.py ./

FROM requirements AS requirements-features
RUN /opt/pip/bin/python install_requirements.py /opt/venv service
# For programs in C; the Python module of onnxruntime contains the same code.
RUN rm -f /opt/venv/lib/python3.*/site-packages/onnxruntime/capi/libonnxruntime.so*

FROM requirements-features AS requirements-cpu
RUN /opt/pip/bin/python install_requirements.py /opt/venv service jobs

FROM requirements AS requirements-gpu
RUN /opt/pip/bin/python install_requirements.py /opt/venv gpu jobs

FROM builder AS code
COPY pyproject.toml README.md LICENSE ./
COPY ecm_client ecm_client
COPY ecm_localizer ecm_localizer
COPY features features
COPY model model
COPY service service
COPY training training
RUN /opt/pip/bin/pip --python /opt/venv install --no-cache-dir --no-compile --no-deps .

FROM python AS runtime
RUN useradd --system --uid 10001 --no-create-home ecm
ENV ECM_HOST=0.0.0.0 ECM_PORT=8000 ECM_REPOSITORY=/models ECM_DATA=/data ECM_EXTRACTORS=/extractors \
    ECM_LOG_FORMAT=json
RUN install -d -o 10001 /data
EXPOSE 8000
VOLUME ["/models", "/extractors", "/data"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", \
    "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"ECM_PORT\"]}/health/ready', timeout=2)"]
ENTRYPOINT ["python", "-m", "service"]
CMD ["serve"]

# The last command of each target writes the byte code of what the service imports, and no more. The
# service itself cannot write it, because its file system is read-only.
FROM runtime AS features
COPY --from=requirements-features /opt/venv /opt/venv
COPY --from=code /opt/venv /opt/venv
RUN python -c "import service.__main__, service.commands.serve"
USER 10001

FROM runtime AS gpu
ENV ECM_DEVICE=cuda ECM_REQUIRE_CUDA=true
COPY --from=requirements-gpu /opt/venv /opt/venv
COPY --from=code /opt/venv /opt/venv
RUN python -c "import service.__main__, service.commands.serve, service.commands.work" && \
    python -c "import features.motion, features.video.reading, features.backbone.extractor"
USER 10001

FROM runtime AS cpu
COPY --from=requirements-cpu /opt/venv /opt/venv
COPY --from=code /opt/venv /opt/venv
RUN python -c "import service.__main__, service.commands.serve, service.commands.work" && \
    python -c "import features.motion, features.video.reading, features.backbone.extractor"
USER 10001
