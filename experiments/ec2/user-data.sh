#!/usr/bin/env bash
# User data for a plain EC2 spot machine (Ubuntu with NVIDIA drivers): installs trajvq, continues the run and shuts the machine down.
# Fill in the three values. How to start it: README.md.
set -euo pipefail
RUN=first
BUCKET=my-bucket
REPOSITORY=https://github.com/OWNER/trajvq

exec > >(tee -a /var/log/trajvq.log) 2>&1
export HOME=/root DEBIAN_FRONTEND=noninteractive
apt-get update -q && apt-get install -yq git python3-venv

[ -d /opt/trajvq ] || git clone --depth 1 "$REPOSITORY" /opt/trajvq
cd /opt/trajvq
python3 -m venv .venv
.venv/bin/pip install -q torch==2.13.0
.venv/bin/pip install -q --constraint constraints.txt '.[s3]'

# The machine's role gives access to the bucket. No key is stored.
status=0
.venv/bin/trajvq fit --config recon --config trainer/gpu --config trainer/ec2 \
  --run "$RUN" --mirror.url "s3://$BUCKET/runs" --data.path "s3://$BUCKET/datasets/default" || status=$?

# 143: EC2 gave notice. Everything is in the bucket, and the next machine with this script continues the run.
# 0: finished. Anything else: the machine stays on, see /var/log/trajvq.log.
case "$status" in
  0) .venv/bin/trajvq test --config recon --mirror.url "s3://$BUCKET/runs" --data.path "s3://$BUCKET/datasets/default"
     shutdown -h now ;;
  143) shutdown -h now ;;
  *) exit "$status" ;;
esac
