#!/usr/bin/env bash
# Builds the image and starts it, as root, on a Debian machine without Docker and without a registry of images:
#
#     apt-get install --no-install-recommends buildah debootstrap curl
#     deploy/try-image.sh
#
# debootstrap makes the base image from the packages that this machine's apt uses. The processes are isolated by chroot
# alone, which needs nothing of the kernel: enough to try the image, not to run it (docs/en/deploy.md says how).
# BUILD_OPTIONS are for buildah, such as --volume=/etc/pip.conf:/etc/pip.conf:ro for a package index of your own.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d /var/tmp/presence-image.XXXXXX)
trap 'rm -rf "$work"' EXIT
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs CONTAINERS_STORAGE_CONF=$work/storage.conf
printf '[storage]\ndriver = "vfs"\nrunroot = "%s/run"\ngraphroot = "%s/storage"\n' "$work" "$work" >"$CONTAINERS_STORAGE_CONF"
port=$((20000 + RANDOM % 20000))

# Like python:3.11-slim: `python` with a pip that the image may remove.
make_base() {
    local suite mirror container
    suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $suite" | head -n 1)
    debootstrap --variant=minbase --include=ca-certificates,python3-venv "$suite" "$work/root" "$mirror" >"$work/debootstrap.log"
    chroot "$work/root" python3 -m venv /opt/python
    rm -rf "$work/root"/var/cache/apt/* "$work/root"/var/lib/apt/lists/*
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$work/root" / >/dev/null
    buildah config --env PATH=/opt/python/bin:/usr/local/bin:/usr/bin:/bin "$container"
    buildah commit --quiet --rm "$container" presence-base >/dev/null
    rm -rf "$work/root"
}

start() {
    buildah run --env HOST=127.0.0.1 --env PORT=$port --env OPERATIONS_HOST=127.0.0.1 --env OPERATIONS_PORT=$((port + 1)) \
        --env BOT_APP_ID=1b2c3d4e-0000-4000-8000-123456789abc --env BOT_TENANT_ID=1b2c3d4e-0000-4000-8000-123456789abd \
        --env BOT_APP_PASSWORD=none --env LOG_FORMAT=text "$1" -- sh -c 'echo $$ >/tmp/pid; exec python app.py'
}

answer() { curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "$@" || true; }

echo "Making the base image ..."
make_base
echo "Building the image ..."
# shellcheck disable=SC2086 # several options
buildah build --quiet --format=docker --build-arg PYTHON_IMAGE=localhost/presence-base ${BUILD_OPTIONS:-} --tag presence . >/dev/null
buildah images --format '{{.Name}}: {{.Size}}'

container=$(buildah from --pull-never localhost/presence)
echo "user: $(buildah run "$container" -- id --user)"
echo "pip: $(buildah run "$container" -- python -c 'import pip' 2>/dev/null && echo yes || echo none)"
start "$container" >"$work/log" 2>&1 &
for _ in $(seq 120); do
    [ "$(answer "http://127.0.0.1:$((port + 1))/readyz")" = 200 ] && break
    kill -0 $! 2>/dev/null || break
    sleep 0.5
done
ready=$(answer "http://127.0.0.1:$((port + 1))/readyz")
stranger=$(answer --request POST --header 'Content-Type: application/json' --data '{}' "http://127.0.0.1:$port/api/messages")
kill -TERM "$(cat "$(buildah mount "$container")/tmp/pid")"
wait $! && stopped=$? || stopped=$?
cat "$work/log"
echo "/readyz: $ready, a stranger: $stranger, exit code after SIGTERM: $stopped"
[ "$ready $stranger $stopped" = "200 401 0" ]
