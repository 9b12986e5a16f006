#!/bin/sh
# Builds the page in a temporary folder and compares it with the committed dist/,
# byte by byte. Vite 8 needs Node.js 20.19 or later; with an older one, or none,
# there is nothing to compare with, and the check says so.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

node_is_new_enough() {
	command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || return 1
	node -e 'const [a, b] = process.versions.node.split(".").map(Number);
		process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'
}

if ! node_is_new_enough; then
	echo "SKIP web/dist: rebuilding it needs Node.js 20.19 or later and npm"
	exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in package.json package-lock.json index.html vite.config.js tsconfig.json src; do
	cp -R "$here/$name" "$work/"
done
if ! (cd "$work" && npm ci --no-audit --no-fund --loglevel=error && npm run build) >"$work/log" 2>&1; then
	cat "$work/log"
	echo "FAIL web/dist: the page does not build"
	exit 1
fi
if ! diff -r "$work/dist" "$here/dist"; then
	echo "FAIL web/dist: not what its sources build; run: cd web && npm ci && npm run build"
	exit 1
fi
echo "PASS web/dist is what its sources build"
