#!/bin/sh
. "$(dirname "$0")/../paths.sh"
metrics=$((PORT + 6000))
make_model "$WORK/m"
build "$WORK/m" --variant fp32
[ "$BUILT" = 0 ] && serve --access open --metrics-port "$metrics" && ask "$PORT" "$metrics"
