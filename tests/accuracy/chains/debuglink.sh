#!/bin/sh
# debuglink.sh PROGRAM DEBUG COMPILER...: compiles a stripped program and its debug file beside it.
set -e
program=$1
debug=$2
shift 2
"$@" -o "$program"
objcopy --only-keep-debug "$program" "$debug"
strip "$program"
objcopy --add-gnu-debuglink="$debug" "$program"
