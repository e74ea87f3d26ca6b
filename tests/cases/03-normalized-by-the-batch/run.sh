#!/bin/sh
. "$(dirname "$0")/../paths.sh"
wrong=0
for kind in ${KINDS:-parts operator}; do
  echo "-- $kind"
  make_model "$WORK/$kind" "$kind"
  build "$WORK/$kind"
  case $BUILT in
    0)
      grep 'fp32 ' "$LOG" | cut -c1-50
      serve --access open && ask "$WORK/$kind" "$PORT" || wrong=1
      ;;
    2 | 3) ;;
    *) wrong=1 ;;
  esac
  stop
done
exit $wrong
