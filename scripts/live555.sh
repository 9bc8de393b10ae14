#!/usr/bin/env bash
# Builds the tests' camera that has LIVE555 inside (tests/whole/live555_camera.cpp), in about ten seconds.
# Debian does not package the library; a Python package carries its sources in its archive, which is locked by hash
# (requirements-peers.lock) and only unpacked: what that package itself makes of them is a proxy, and of no use here.
# Usage: live555.sh PYTHON TARGET. Where there is no C++ compiler it says so, and the tests of it are skipped.
set -euo pipefail

python=$1
target=$2
if ! command -v g++ >/dev/null 2>&1; then
  echo "No g++: recording from LIVE555 will not be tested."
  exit 0
fi

here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m pip download --disable-pip-version-check --quiet --require-hashes --no-deps --no-binary :all: \
  --no-build-isolation --dest "$work" -r "$here/requirements-peers.lock"
tar -xzf "$work"/*.tar.gz -C "$work" --strip-components 1

cd "$work"
flags=(-O0 -w -DSOCKLEN_T=socklen_t -DNO_OPENSSL=1 -DNO_STD_LIB=1
  -IUsageEnvironment/include -IBasicUsageEnvironment/include -Igroupsock/include -IliveMedia/include -IliveMedia)
printf '%s\n' UsageEnvironment/*.cpp BasicUsageEnvironment/*.cpp groupsock/*.cpp groupsock/inet.c liveMedia/*.cpp \
  liveMedia/rtcp_from_spec.c >sources
# gcc takes the language from a file's name; the library is C++ with two files of C.
xargs -P "$(nproc)" -I {} gcc "${flags[@]}" -c -o {}.o {} <sources
ar rcs live555.a $(sed 's/$/.o/' sources)
mkdir -p "$here/$(dirname "$target")"
g++ "${flags[@]}" -o "$here/$target" "$here/tests/whole/live555_camera.cpp" live555.a
