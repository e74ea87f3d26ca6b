#!/bin/sh
. "$(dirname "$0")/../paths.sh"
make_model "$WORK/m"
build "$WORK/m"
grep -E 'fp32 |int8-' "$LOG" | cut -c1-150
[ "$BUILT" = 0 ] && serve --access open && ask "$WORK/m" "$PORT"
