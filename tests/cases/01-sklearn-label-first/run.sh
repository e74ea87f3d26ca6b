#!/bin/sh
. "$(dirname "$0")/../paths.sh"
wrong=0
for kind in tensor zipmap; do
  echo "-- $kind"
  make_model "$WORK/$kind" "$kind"
  build "$WORK/$kind"
  case $BUILT in
    0) serve --access open && ask "$WORK/$kind" "$PORT" || wrong=1 ;;
    2) grep -Eq 'label.*(scores|probabilities)' "$LOG" || wrong=1 ;;
    *) wrong=1 ;;
  esac
  stop
done
exit $wrong
