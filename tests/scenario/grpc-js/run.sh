#!/bin/sh
# Starts the test server given as $1, in clear text and with TLS, and calls it with grpc-js.
set -eu
server=$(realpath "$1")
cd "$(dirname "$0")"

# Once: packages by the lock file, wherever the registry is.
(
	flock 9
	[ -d node_modules/@grpc/grpc-js ] || npm ci --no-fund --no-audit --ignore-scripts >&2
) 9<package.json

for mode in clear tls; do
	fifo=$(mktemp -u)
	mkfifo "$fifo"
	"$server" "$mode" >"$fifo" &
	pid=$!
	read -r address unix_path ca <"$fifo"
	rm -f "$fifo"
	status=0
	if [ "$mode" = tls ]; then
		timeout 100 node call.mjs "$address" "$unix_path" "$ca" || status=$?
	else
		timeout 100 node call.mjs "$address" "$unix_path" || status=$?
	fi
	kill "$pid"
	wait "$pid" || status=$?
	[ "$status" = 0 ] || exit "$status"
done
