# SIGKILL in the middle of ingestion: nothing acknowledged is lost, nothing is counted twice.
. "$(dirname "$0")/lib.sh"
"$BUILD/tests/scenario/kill9" "$CRESSET" "$work/data" "${KILL_ROUNDS:-50}" || failures=1
