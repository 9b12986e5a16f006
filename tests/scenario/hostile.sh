# A client that means ill: whatever it sends, the server lives, says no, and serves the others.
. "$(dirname "$0")/lib.sh"
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1
"$BUILD/tests/scenario/hostile" "${CRESSET_ASAN:-$CRESSET}" "$work/data" "$work/server.log" || failures=1
