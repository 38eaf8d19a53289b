#!/bin/sh
# Brings what tests need to run a real Apache Kafka: Java, and Kafka's jars
# from Maven Central in the user's cache. Quick when both are there.
# Usage: scripts/kafka.sh [--print]    --print ends with the folder of the jars
set -eu

version=4.1.0
java_min=17
here=$(cd "$(dirname "$0")/.." && pwd)
pom="$here/internal/kafkatest/pom.xml"

say() { echo "kafka: $*" >&2; }
die() { say "$*"; exit 1; }

cache() {
	if [ -n "${GROSZ_KAFKA:-}" ]; then echo "$GROSZ_KAFKA"; return; fi
	case "$(uname -s)" in
	Darwin) base="$HOME/Library/Caches" ;;
	*) base="${XDG_CACHE_HOME:-$HOME/.cache}" ;;
	esac
	echo "$base/grosz/kafka-$version"
}

# The major version of the java in PATH, or nothing.
java_major() {
	command -v java >/dev/null 2>&1 || return 0
	java -version 2>&1 | sed -n '1,/version/s/.*version "\([0-9]*\).*/\1/p' | head -n 1
}

java_ok() {
	major=$(java_major)
	[ -n "$major" ] && [ "$major" -ge "$java_min" ]
}

# install PACKAGE...: by apt-get, as root on Debian; else it says what to do.
install() {
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		die "missing: $*. Install Java $java_min or newer and Maven, then run this again."
	fi
	say "installing $* (apt-get)"
	log=$(mktemp)
	if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		rm -f "$log"
		die "apt-get could not install $*"
	fi
	rm -f "$log"
}

fetch() {
	command -v mvn >/dev/null 2>&1 || install maven
	say "bringing Apache Kafka $version from Maven Central (92 jars, 54 MB) into $dir"
	mkdir -p "$(dirname "$dir")"
	part=$(mktemp -d "$dir.part.XXXXXX")
	trap 'rm -rf "$part"' EXIT INT TERM
	if ! mvn -B -q -f "$pom" dependency:copy-dependencies -DoutputDirectory="$part/libs" -DincludeScope=runtime >"$part/log" 2>&1; then
		tail -n 20 "$part/log" >&2
		die "Maven could not bring Kafka's jars"
	fi
	ls "$part"/libs/kafka_2.13-"$version".jar >/dev/null || die "Maven ended well but brought no Kafka"
	# Two that run at once: the first to rename wins, both are whole.
	rm -f "$part/log"
	if [ -e "$dir" ] || ! mv "$part" "$dir" 2>/dev/null; then
		[ -f "$dir/libs/kafka_2.13-$version.jar" ] || die "$dir is there but incomplete; remove it and run this again"
	fi
	say "Apache Kafka $version is in $dir ($(du -sh "$dir" | cut -f 1))"
}

dir=$(cache)
java_ok || install default-jre-headless
java_ok || install openjdk-17-jre-headless
java_ok || die "java is version '$(java_major)', Kafka $version needs $java_min or newer"
[ -f "$dir/libs/kafka_2.13-$version.jar" ] || fetch
if [ "${1:-}" = --print ]; then echo "$dir/libs"; fi
