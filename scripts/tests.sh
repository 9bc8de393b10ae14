#!/usr/bin/env bash
# Runs all tests: PYTHON, and the paths of those that only compute.
# Those run beside the tests that start whole boxes, which mostly wait, and out of their way: a box that gets no
# processor for ten seconds looks like one that hangs. What they say is shown when they are through.
set -euo pipefail
python=$1
shift
computing=("$@")
said=$(mktemp)

setsid nice -n 19 bash -c '
  echo 19 2>/dev/null >/proc/self/autogroup || true
  exec "$@"' computing "$python" -m pytest -p no:cacheprovider --numprocesses 2 "${computing[@]}" >"$said" 2>&1 &
beside=$!
# A session of its own hears no Ctrl-C.
trap 'kill "$beside" 2>/dev/null || true; rm -f "$said"' EXIT

failed=0
echo "== tests that start whole boxes"
"$python" -m pytest --numprocesses 3 --dist loadfile tests/whole || failed=1
echo "== tests that only compute, which ran beside them"
wait "$beside" || failed=1
cat "$said"
trap - EXIT
rm -f "$said"
echo "== the rest, one at a time: some of it measures"
"$python" -m pytest "${computing[@]/#/--ignore=}" --ignore=tests/whole || failed=1
exit "$failed"
