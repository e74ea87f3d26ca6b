# The only shell file of the cases that knows the project's paths. Each run.sh sources it first.
# It reads P, the checkout to try (default: the one that holds this folder), and PORT, the service's port.
# Exit status of a case: 0 right, 1 wrong, 3 could not be tried.
here=$(dirname "$0")
P=$(cd "${P:-$here/../../..}" && pwd) || exit 3
cd "$here" || exit 3
PORT=${PORT:-3310}
CASE=$(pwd)
PYTHONPATH=$P:$(dirname "$CASE")
export P PORT PYTHONPATH
SLIPWAY=$P/.venv/bin/slipway
[ -x "$SLIPWAY" ] || { echo "$SLIPWAY does not exist: run make setup" >&2; exit 3; }
WORK=$(mktemp -d) || exit 3
SERVER=
trap 'stop; rm -rf "$WORK"' EXIT
trap 'exit 3' HUP INT TERM

# make_model FOLDER [KIND]: write a model folder with the case's make.py.
make_model() {
  python=$("$SLIPWAY" venv "$P/slipway/pipeline/requirements.txt") || exit 3
  "$python" make.py "$@" || exit 3
}

# build FOLDER [OPTION...]: build it. Sets BUILT (the exit status), LOG and ARTIFACT.
build() {
  LOG=$WORK/build.log
  "$SLIPWAY" model build "$@" >"$LOG" 2>&1
  BUILT=$?
  grep -E '^(error|sha256)' "$LOG" | cut -c1-300
  echo "build exit $BUILT"
  [ "$BUILT" = 0 ] || return 0
  # Of a model that was built before, only this names the folder.
  ARTIFACT=$("$SLIPWAY" model build "$@" --json 2>"$WORK/again.log" | sed -n 's/.*"path": *"\([^"]*\)".*/\1/p')
}

# serve OPTION...: serve the artifact until `stop`. Fails if the service does not start within a minute.
serve() {
  if live; then echo "port $PORT is in use: set PORT" >&2; exit 3; fi
  SERVICE_PYTHON=$("$SLIPWAY" venv "$P/service/requirements.txt") || exit 3
  (cd "$P" && exec "$SERVICE_PYTHON" -m slipway.service --artifact "$ARTIFACT" --port "$PORT" "$@") \
    >"$WORK/serve.log" 2>&1 &
  SERVER=$!
  seconds=0
  until live; do
    if [ "$seconds" -ge 60 ] || ! kill -0 "$SERVER" 2>/dev/null; then
      echo "does not start: $(cat "$WORK/serve.log")"
      return 1
    fi
    sleep 1
    seconds=$((seconds + 1))
  done
}

live() { curl -s -o "$WORK/live" "127.0.0.1:$PORT/livez"; }

stop() {
  [ -n "$SERVER" ] || return 0
  kill "$SERVER" 2>/dev/null
  wait "$SERVER" 2>/dev/null
  SERVER=
}

# ask ARGUMENT...: run the case's ask.py, a client, in the service's environment.
ask() { "$SERVICE_PYTHON" ask.py "$@"; }

# check: run the case's check.py, which imports the project through paths.py.
check() { (cd "$P" && .venv/bin/python "$CASE/check.py"); }
