#!/usr/bin/env bash
# The Debian packages that tests need: a browser, media tools, RTSP servers that this
# project did not write, and a token in software.
# Installs them, or only those that are named, where it may; says which are missing where it may not.
set -euo pipefail

packages=(
  chromium ffmpeg openssl xxd unzip libarchive-tools iproute2 g++
  golang-go golang-golang-x-mod-dev
  python3-gi glib-networking gir1.2-gst-rtsp-server-1.0 gstreamer1.0-rtsp
  gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  vlc-bin vlc-plugin-base
  softhsm2
)
if [ $# -gt 0 ]; then
  packages=("$@")
fi

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "This is no Debian: install the like of these by hand: ${packages[*]}"
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$state" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

run=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "Debian packages are missing: sudo apt-get install ${missing[*]}"
    exit 1
  fi
  run=(sudo)
fi
echo "== Debian packages: ${missing[*]}"
"${run[@]}" apt-get update -qq
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
