#!/usr/bin/env bash
# Classify last night's export, for cron. Any arguments go to `forge classify`:
#
#     30 2 * * *  INPUT=/srv/export/tickets.csv OUTDIR=/srv/forge /opt/forge/nightly.sh --provider sarvam
#
# From the environment (cron's is nearly empty, so every one has a default):
#   INPUT   the export; default: tickets.csv beside this script
#   OUTDIR  where results, failures and logs go; default: ~/forge-nightly
#   DAY     the date in the file names; default: today. Set it to finish an earlier day's run
#   FORGE   the program; default: forge from PATH (cron's PATH is short: give the full path)
#   NOTIFY  a program that is called with one line of text when somebody should look
#   SARVAM_API_KEY and the like, as the provider needs; keep them out of the crontab
#
# Exits with forge's own code. Starting it again at any time is safe: forge takes what it has paid
# for from its cache, and a second run beside the first ends at once with 75.
set -euo pipefail
umask 077 # tickets are personal data

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
input=${INPUT:-$here/tickets.csv}
outdir=${OUTDIR:-${HOME:?set HOME or OUTDIR}/forge-nightly}
day=${DAY:-$(date +%F)}
forge=${FORGE:-forge}

results=$outdir/tickets-$day.results.csv
failures=$outdir/tickets-$day.failures.csv
log=$outdir/tickets-$day.log

args=(
    classify "$input"
    -o "$results"
    --failures "$failures"
    # An export has columns such as Priority of its own. With a fixed prefix the header is the same
    # every night, whatever the export holds.
    --prefix forge_
    "$@"
)

# Say the one line, pass it to NOTIFY if somebody should look, and leave.
finish() { # CODE quiet|notify TEXT
    local line="forge nightly $day: $3"
    if [[ $2 == notify && -n ${NOTIFY:-} ]]; then
        # For mail, let NOTIFY be a script with:  mail -s "$1" ops@example.com </dev/null
        "$NOTIFY" "$line" >>"$log" 2>&1 </dev/null || line+=" (NOTIFY failed, see $log)"
    fi
    printf '%s\n' "$line"
    exit "$1"
}

if ! mkdir -p -- "$outdir" || ! printf -- '--- %s\n' "$(date)" >>"$log"; then
    log=/dev/null
    finish 5 notify "cannot write to $outdir"
fi

# In the background, so that a signal to this script can be handed on: forge then keeps the answers
# that are under way, which takes up to 20 seconds.
"$forge" "${args[@]}" >>"$log" 2>&1 </dev/null &
pid=$!
trap 'kill -TERM "$pid" 2>/dev/null || true' HUP INT TERM
code=0
wait "$pid" || code=$?
while kill -0 "$pid" 2>/dev/null; do # a signal ended the wait, not forge
    code=0
    wait "$pid" || code=$?
done

case $code in
    0) finish 0 quiet "done: $results" ;;
    2) finish 2 notify "a setting, a flag or the input is wrong: see $log" ;;
    3) finish 3 notify "done, but some tickets failed: $failures; a second run tries them again" ;;
    4) finish 4 notify "the provider refuses (key, quota or model): see $log, then run it again" ;;
    5) finish 5 notify "cannot write results or cache (disk full?): see $log, then run it again" ;;
    6) finish 6 notify "budget or deadline reached: see $log; a second run goes on from here" ;;
    75) finish 75 quiet "not now (an outage, or another run is at work): try again later" ;;
    126 | 127) finish "$code" notify "cannot start $forge: see $log" ;;
    129 | 130 | 143) finish "$code" quiet "stopped by a signal: a second run goes on from here" ;;
    *) finish "$code" notify "ended unexpectedly with code $code: see $log" ;;
esac
