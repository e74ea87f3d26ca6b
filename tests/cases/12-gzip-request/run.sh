#!/bin/sh
. "$(dirname "$0")/../paths.sh"
make_model "$WORK/m"
build "$WORK/m"
serve --access open || exit 1
gzip -c "$ARTIFACT/example.json" >"$WORK/body.gz"
code=$(curl -s -o "$WORK/answer" -D "$WORK/headers" -w '%{http_code}' "127.0.0.1:$PORT/predict" \
  -H 'content-type: application/json' -H 'content-encoding: gzip' --data-binary "@$WORK/body.gz")
echo "$code $(cat "$WORK/answer")"
[ "$code" = 200 ] || { [ "$code" = 415 ] && grep -qi '^accept-encoding' "$WORK/headers"; }
