# Heavy requirements in a layer of their own, below the light ones, kept apart by hand; the model between them, as it is large.
FROM python:3.11-slim
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv PYTHONUNBUFFERED=1
ARG UV_DEFAULT_INDEX
WORKDIR /app
RUN --mount=from=uv,source=/uv,target=/bin/uv \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=heavy.lock,target=/tmp/heavy.lock \
    uv venv --quiet /opt/venv && uv pip install --quiet --no-deps -r /tmp/heavy.lock
COPY model model
RUN --mount=from=uv,source=/uv,target=/bin/uv \
    --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=light.lock,target=/tmp/light.lock \
    uv pip install --quiet --no-deps -r /tmp/light.lock
COPY app.py .
USER 1000
EXPOSE 8000
CMD ["uvicorn", "app:app", "--host", "0.0.0.0", "--port", "8000"]
