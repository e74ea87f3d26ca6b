#!/bin/sh
. "$(dirname "$0")/../paths.sh"
make_model "$WORK/m"
build "$WORK/m"
[ "$BUILT" = 0 ] && serve --access open && ask "$WORK/m" "$PORT"
