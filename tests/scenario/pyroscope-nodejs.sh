# Pyroscope's SDK for Node.js in a real process, unmodified: what it pushes by /ingest is asked back. Two
# releases: 0.6 sends the profile as it is, 0.4 as a form.
. "$(dirname "$0")/lib.sh"

here=$(realpath "$(dirname "$0")")/pyroscope-nodejs
if ! command -v node >/dev/null || [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
	skip "the SDK needs Node.js 20"
	exit 0
fi
# Once: packages by the lock file, wherever the registry is. The native part comes built in its package.
install() {
	(
		cd "$here" || exit 1
		flock 9
		[ -d node_modules/@pyroscope/nodejs ] || npm ci --no-fund --no-audit --ignore-scripts
	) 9<"$here/package.json"
}
expect "npm ci" install

start server "$CRESSET" server -self-profiling.disable-push=true -server.http-listen-address=127.0.0.1 \
	-server.http-listen-port=0 -pyroscopedb.data-path="$work/data"
listening() { grep -q 'address=' "$work/server.err"; }
expect "a server starts" within 10 listening
url=http://$(grep -om1 'address=127.0.0.1:[0-9]*' "$work/server.err" | cut -d= -f2)

# ask METHOD BODY: of the query API, as JSON.
ask() {
	curl -sS --max-time 10 -H 'content-type: application/json' "$url/querier.v1.QuerierService/$1" -d "$2"
}
range="\"start\":\"$((($(date +%s) - 600) * 1000))\",\"end\":\"$((($(date +%s) + 600) * 1000))\""
# flame APP TYPE [MATCHER]: the names in its flame graph.
flame() { ask SelectMergeStacktraces "{$range,\"profileTypeID\":\"$2\",\"labelSelector\":\"{service_name=\\\"$1\\\"${3-}}\"}"; }
shows() {
	local name=$1
	shift
	flame "$@" | grep -q "$name"
}

for sdk in @pyroscope/nodejs pyroscope-nodejs-form; do
	app=shop-${sdk##*/}
	push() { (cd "$here" && timeout 60 node busy.mjs "$sdk" "$url" "$app"); }
	expect "$sdk: a process profiles itself" push
	expect "$sdk: its wall time has the function that burns" \
		shows burnMost "$app" wall:wall:nanoseconds:wall:nanoseconds
	expect "$sdk: so has its CPU time" shows burnMost "$app" wall:cpu:nanoseconds:wall:nanoseconds
	expect "$sdk: under the label of the request it served" \
		shows burnMost "$app" wall:wall:nanoseconds:wall:nanoseconds ',handler=\"checkout\"'
	expect "$sdk: and under the process's tag" \
		shows burnMost "$app" wall:wall:nanoseconds:wall:nanoseconds ',region=\"eu-1\"'
	expect "$sdk: its heap has the function that keeps" shows keepMemory "$app" memory:inuse_space:bytes:inuse_space:bytes
done
types=$(ask ProfileTypes "{$range}")
echo "$types" | grep -oE '"ID":"[^"]*"' | sed 's/^/    /'
failures_counted() { curl -sS "$url/metrics" | grep -E '^cresset_ingest_failures_total [1-9]'; }
failures_counted && not_ok "no push was refused" || ok "no push was refused"
