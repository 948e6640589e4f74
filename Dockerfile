# The service without torch. Targets: cpu (default) and gpu.
#   docker build --target cpu -t ecm-localizer:cpu .
#   docker run -p 8000:8000 -v "$PWD/models:/models:ro" ecm-localizer:cpu

FROM python:3.11-slim-bookworm AS python
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# Requirements change seldom, the code often: each has a layer of its own.
FROM python AS requirements
WORKDIR /src
COPY pyproject.toml constraints.txt ./
RUN python3 -m venv /opt/venv && python -c "\
import tomllib; \
project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
extras = project['optional-dependencies']; \
own = lambda extra: [line for line in extras[extra] if not line.startswith(project['name'])]; \
shared = project['dependencies'] + extras['http'] + own('jobs') + extras['video']; \
[open(extra + '.txt', 'w').write('\n'.join(shared + own(extra))) for extra in ('service', 'gpu')]"

FROM requirements AS requirements-cpu
RUN pip install --constraint constraints.txt --requirement service.txt

FROM requirements AS requirements-gpu
RUN pip install --constraint constraints.txt --requirement gpu.txt

FROM python AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY ecm_client ecm_client
COPY ecm_localizer ecm_localizer
COPY features features
COPY model model
COPY service service
COPY training training
RUN python3 -m venv /opt/venv && pip wheel --no-deps --wheel-dir /dist .

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

FROM runtime AS gpu
ENV ECM_DEVICE=cuda ECM_REQUIRE_CUDA=true
COPY --from=requirements-gpu /opt/venv /opt/venv
COPY --from=wheel /dist /dist
RUN pip install --no-deps /dist/*.whl
USER 10001

FROM runtime AS cpu
COPY --from=requirements-cpu /opt/venv /opt/venv
COPY --from=wheel /dist /dist
RUN pip install --no-deps /dist/*.whl
USER 10001
