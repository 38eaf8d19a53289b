#!/bin/sh
# Brings libchdb, the embedded ClickHouse engine, into Grosz's cache, where
# `grosz warehouse` finds it. Quick when it is already there.
#
#   scripts/libchdb.sh            fetch it if it is missing
#   scripts/libchdb.sh --print    the same; the library's path is the last line of stdout
#   scripts/libchdb.sh --path     only say where it belongs
#
# GROSZ_HOME moves the cache to $GROSZ_HOME/lib. All messages go to stderr.
set -eu

say() { printf '%s\n' "$*" >&2; }
die() { say "libchdb: $*"; exit 1; }

print=no
only_path=no
for arg in "$@"; do
	case "$arg" in
	--print) print=yes ;;
	--path) only_path=yes ;;
	*) die "unknown argument $arg; --print and --path are known" ;;
	esac
done

# The version and the sum are pinned in the code that loads the library.
pins=$(dirname "$0")/../reporting/warehouse/library.go
pin() { sed -n "s/^[[:space:]]*$1 = \"\(.*\)\"\$/\1/p" "$pins"; }
version=$(pin LibraryVersion)
sum_linux_x64=$(pin LibrarySHA256)
[ -n "$version" ] && [ -n "$sum_linux_x64" ] || die "cannot read the pinned version from $pins"

system=$(uname -s)
sum=
case "$system/$(uname -m)" in
Linux/x86_64) name=lib-linux-x64-gnu sum=$sum_linux_x64 ;;
Linux/aarch64 | Linux/arm64) name=lib-linux-arm64-gnu ;;
Darwin/x86_64) name=lib-darwin-x64 ;;
Darwin/arm64) name=lib-darwin-arm64 ;;
*) die "there is no libchdb for $system on $(uname -m), only for Linux and macOS on x86-64 and arm64" ;;
esac
package=@chdb/$name

# As LibraryCachePath in library.go.
if [ -n "${GROSZ_HOME:-}" ]; then
	cache=$GROSZ_HOME/lib
elif [ "$system" = Darwin ]; then
	cache=${HOME:?HOME is not set}/Library/Caches/grosz
else
	cache=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/grosz
fi
dir=$cache/libchdb-$version
target=$dir/libchdb.so

finish() {
	[ "$print" = no ] || printf '%s\n' "$target"
	exit 0
}

if [ "$only_path" = yes ]; then
	printf '%s\n' "$target"
	exit 0
fi
[ ! -f "$target" ] || finish

if ! command -v npm >/dev/null 2>&1; then
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
		say "libchdb: npm is missing; installing it with apt-get, as it fetches the library ..."
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -qq >&2
		apt-get install -y -qq --no-install-recommends npm >&2
	else
		die "npm is missing, which fetches the library. Install it (Debian: apt-get install npm, macOS: brew install node) and run this again"
	fi
fi

mkdir -p "$cache"
# Beside the target, so that the last step is one rename.
work=$(mktemp -d "$cache/.libchdb-XXXXXX")
progress=
cleanup() {
	[ -z "$progress" ] || kill "$progress" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

free=$(df -Pk "$cache" | awk 'NR == 2 { print int($4 / 1024) }')
[ "$free" -ge 1000 ] || die "$cache has $free MB free; 1000 MB are needed while unpacking"

say "libchdb: fetching $package $version: ClickHouse as a library, 166 MB to download, 559 MB unpacked, into $dir"
start=$(date +%s)
(
	while sleep 5; do
		say "libchdb: ... still fetching, $(($(date +%s) - start)) s, $(du -sm "$work" 2>/dev/null | cut -f1) MB here so far"
	done
) &
progress=$!
(cd "$work" && npm pack --silent --no-update-notifier --cache "$work/npm" "$package@$version" >npm.out 2>npm.err) || {
	cat "$work/npm.err" >&2
	die "npm could not fetch $package@$version"
}
kill "$progress" 2>/dev/null || true
progress=
rm -rf "$work/npm"

say "libchdb: unpacking ..."
mkdir "$work/unpacked"
tar -xzf "$work"/*.tgz -C "$work/unpacked" package/libchdb.so
library=$work/unpacked/package/libchdb.so

if [ -n "$sum" ]; then
	got=$(sha256sum "$library" | cut -d' ' -f1)
	[ "$got" = "$sum" ] || die "libchdb.so has the sha256 $got, not $sum: not using it"
else
	say "libchdb: no sum is pinned for $name; npm has checked the package's own"
fi
chmod 755 "$library"
mkdir -p "$dir"
mv "$library" "$target"
say "libchdb: done in $(($(date +%s) - start)) s: $target"
finish
