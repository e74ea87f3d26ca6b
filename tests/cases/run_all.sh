#!/bin/sh
# Runs every case and prints a table. P and PORT are as in paths.sh. Exit status: 0 if every case exits 0.
if [ -n "$P" ]; then P=$(cd "$P" && pwd) || exit 3; export P; fi
cd "$(dirname "$0")" || exit 3
logs=$(mktemp -d) || exit 3
failed=0
printf '%-36s %4s %7s\n' case exit seconds
for name in [0-9]*/; do
  name=${name%/}
  begun=$(date +%s)
  "./$name/run.sh" >"$logs/$name.log" 2>&1
  code=$?
  [ "$code" = 0 ] || failed=1
  printf '%-36s %4s %7s\n' "$name" "$code" $(($(date +%s) - begun))
done
echo "The output of each case is in $logs"
exit $failed
