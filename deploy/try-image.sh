#!/usr/bin/env bash
# Builds the image and starts it, on a Debian or Ubuntu machine without Docker or a registry, as root:
#
#     sudo apt-get install --no-install-recommends buildah debootstrap curl
#     sudo deploy/try-image.sh
#
# The base image is made by debootstrap from the packages that apt of this machine uses. Only processes are isolated by
# chroot, so no kernel feature is needed; for production build with Docker, as docs/en/deploy.md says.
# BUILD_OPTIONS are given to buildah, for example --volume=/etc/pip.conf:/etc/pip.conf:ro for a mirror of your own.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d /var/tmp/presence-image.XXXXXX)
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
export CONTAINERS_STORAGE_CONF=$work/storage.conf
printf '[storage]\ndriver = "vfs"\nrunroot = "%s/run"\ngraphroot = "%s/storage"\n' "$work" "$work" > "$CONTAINERS_STORAGE_CONF"
trap 'rm -rf "$work"' EXIT

make_base() {
    local suite mirror container
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $suite" | head -n 1)
    debootstrap --variant=minbase --include=ca-certificates,python3-venv "$suite" "$work/root" "$mirror" >"$work/debootstrap.log"
    chroot "$work/root" python3 -m venv /opt/python  # where pip is the image's own, as in python:3.11-slim
    rm -rf "$work/root"/var/cache/apt/*.bin "$work/root"/var/cache/apt/archives/*.deb "$work/root"/var/lib/apt/lists/*
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$work/root" / >/dev/null
    buildah config --env PATH=/opt/python/bin:/usr/local/bin:/usr/bin:/bin "$container"
    buildah commit --quiet --rm "$container" presence-base >/dev/null
    rm -rf "$work/root"
}

echo "Making the base image ..."
make_base
echo "Building the image ..."
# shellcheck disable=SC2086
buildah build --quiet --build-arg PYTHON_IMAGE=localhost/presence-base ${BUILD_OPTIONS:-} --tag presence . >"$work/image"
buildah images --format '{{.Name}} {{.Size}}'

echo "Starting it ..."
port=$((20000 + RANDOM % 20000))
container=$(buildah from --pull-never localhost/presence)
in_container() { buildah run "$@"; }
in_container "$container" -- python -c 'import os; print("user", os.getuid())'
! in_container "$container" -- python -c 'import pip' 2>/dev/null && echo "no pip inside"
in_container --env HOST=127.0.0.1 --env PORT=$port --env OPERATIONS_HOST=127.0.0.1 --env OPERATIONS_PORT=$((port + 1)) \
    --env BOT_APP_ID=1b2c3d4e-0000-4000-8000-123456789abc --env BOT_TENANT_ID=1b2c3d4e-0000-4000-8000-123456789abd \
    --env BOT_APP_PASSWORD=none --env LOG_FORMAT=text "$container" -- python app.py >"$work/log" 2>&1 &
running=$!
trap 'kill $running 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 120); do
    curl --silent --fail --output /dev/null "http://127.0.0.1:$((port + 1))/readyz" && break
    kill -0 $running || { cat "$work/log"; exit 1; }
    sleep 0.5
done
echo "ready: $(curl --silent "http://127.0.0.1:$((port + 1))/readyz")"
status=$(curl --silent --output /dev/null --write-out '%{http_code}' --request POST --header 'Content-Type: application/json' \
    --data '{}' "http://127.0.0.1:$port/api/messages")
echo "a stranger gets $status"
cat "$work/log"
pkill --signal TERM --parent $running || true
wait $running && echo "stopped with 0"
[ "$status" = 401 ]
