#!/bin/sh
# run.sh TEST DIR: runs TEST with the Go programs that npm packages carry, installed into DIR once.
test=$1
dir=$2
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v npm >/dev/null; then
	echo "SKIP: no npm to get Go programs with"
	exit 77
fi
mkdir -p "$dir"
if ! cmp -s "$here/package-lock.json" "$dir/installed"; then
	cp "$here/package.json" "$here/package-lock.json" "$dir/"
	if ! (cd "$dir" && npm ci --no-audit --no-fund --ignore-scripts >npm.log 2>&1); then
		tail -n 5 "$dir/npm.log"
		echo "SKIP: npm ci failed"
		exit 77
	fi
	cp "$here/package-lock.json" "$dir/installed"
fi
exec "$test" "$dir/node_modules"
