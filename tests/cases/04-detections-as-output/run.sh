#!/bin/sh
. "$(dirname "$0")/../paths.sh"
make_model "$WORK/m"
build "$WORK/m"
case $BUILT in
  0) serve --access open && ask "$WORK/m" "$PORT" ;;
  2) grep -q detections "$LOG" ;;
  *) exit 1 ;;
esac
