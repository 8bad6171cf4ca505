#!/usr/bin/env bash
# The demonstration behind `make run`: a tracker, an uploader beside it, and the demo programme as its encoder.
# Prints the address to open, and stops everything when one of the three ends or at Ctrl-C.
#
# Environment: LISTEN (127.0.0.1:8080), DATA (data), SIZE (1280x720), KILOBITS (1500), NAME (demo).
set -euo pipefail
cd "$(dirname "$0")/.."

listen=${LISTEN:-127.0.0.1:8080}
data=${DATA:-data}
name=${NAME:-demo}
logs=$data/logs
mkdir -p "$logs"
declare -A started=()

start() { # NAME COMMAND...: runs it beside this script, its output in its own log
  local what=$1
  shift
  "$@" >"$logs/$what.log" 2>&1 &
  started[$!]=$what
}

stop_all() {
  trap - EXIT INT TERM
  kill "${!started[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
}
trap stop_all EXIT
trap 'echo; echo "Stopping."; exit 0' INT TERM

ended() { # PID STATUS: says who ended and why, and ends the rest
  echo "${started[$1]} ended (exit status $2). The end of $logs/${started[$1]}.log:" >&2
  tail -n 12 "$logs/${started[$1]}.log" >&2
  exit 1
}

await_line() { # NAME PATTERN: waits until the log has a line that matches, and leaves the match in $REPLY
  local tries pid status
  for ((tries = 0; tries < 150; tries++)); do
    if REPLY=$(grep -m1 -oE "$2" "$logs/$1.log"); then return 0; fi
    for pid in "${!started[@]}"; do
      kill -0 "$pid" 2>/dev/null && continue
      status=0
      wait "$pid" || status=$?
      ended "$pid" "$status"
    done
    sleep 0.1
  done
  echo "$1 did not say '$2' within 15 s. The end of $logs/$1.log:" >&2
  tail -n 12 "$logs/$1.log" >&2
  exit 1
}

start tracker target/release/swarmcast-tracker serve --listen "$listen" --rtmp off --data "$data"
await_line tracker 'http://[^ ]+'
url=$REPLY

key=$data/demo.key
[[ -f $key ]] || target/release/swarmcast-uploader keygen --key "$key"
start uploader target/release/swarmcast-uploader live --tracker "${url%/}" --name "$name" --key "$key" \
  --rtmp 127.0.0.1:0 --stream-key programme --udp 0.0.0.0:0
await_line uploader 'rtmp://[^ ,]+'
encoder=$REPLY

start programme demo/programme.sh "${encoder%/}/programme" "${SIZE:-1280x720}" "${KILOBITS:-1500}"

cat <<BANNER

  ────────────────────────────────────────────────────────────
   Live now:  ${url%/}/watch/$name

   Open it twice: the second browser is fed by the first.
   Logs are in $logs. Ctrl-C stops everything.
  ────────────────────────────────────────────────────────────

BANNER

status=0
wait -n -p pid "${!started[@]}" || status=$?
ended "$pid" "$status"
