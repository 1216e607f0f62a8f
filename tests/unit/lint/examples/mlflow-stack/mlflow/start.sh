#!/bin/sh
set -eu
password="$(cat /run/secrets/postgres)"
exec mlflow server --host 0.0.0.0 --port 5000 \
    --backend-store-uri "postgresql://mlflow:$password@postgres:5432/mlflow" \
    --artifacts-destination s3://mlflow
