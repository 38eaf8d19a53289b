#!/bin/sh
# Brings Chromium for the tests that look at ads as a browser shows them.
set -eu
for c in chromium chromium-browser google-chrome; do
	command -v "$c" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "chromium: not found; install it, or the tests that need a browser are left out" >&2
	[ "${CI:-}" = true ] && exit 1
	exit 0
fi
echo "chromium: installing chromium (apt-get, about 300 MB)" >&2
log=$(mktemp)
if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	rm -f "$log"
	exit 1
fi
rm -f "$log"
