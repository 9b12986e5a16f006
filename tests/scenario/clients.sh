# The query API by clients that others wrote: Connect's own over each of its transports, grpc-js, and
# go tool pprof, which must read in the merged profile what was pushed. Against our .proto files.
. "$(dirname "$0")/lib.sh"

here=$(realpath "$(dirname "$0")")
root=$(realpath "$here/../..")
if ! command -v node >/dev/null || [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
	skip "Connect's client needs Node.js 20"
	exit 0
fi
# install DIRECTORY PACKAGE: once, by the lock file, wherever the registry is.
install() {
	(
		cd "$here/$1" || exit 1
		flock 9
		[ -d "node_modules/$2" ] || npm ci --no-fund --no-audit --ignore-scripts
	) 9<"$here/$1/package.json"
}
expect "npm ci of Connect's client" install connect-node @connectrpc/connect-node
expect "npm ci of grpc-js" install grpc-js @grpc/grpc-js

start server "$CRESSET" server -self-profiling.disable-push=true -server.http-listen-address=127.0.0.1 \
	-server.http-listen-port=0 -pyroscopedb.data-path="$work/data"
server=$last
listening() { grep -q 'address=' "$work/server.err"; }
expect "a server starts" within 10 listening
address=$(grep -om1 'address=127.0.0.1:[0-9]*' "$work/server.err" | cut -d= -f2)
url=http://$address
pushed=$work/pushed.pprof
# The file's own time, of the day when it was recorded, gives way to that of the request when it has none.
python3 - "$root/tests/data/pprof/go-cpu.pprof" "$pushed" <<'PYTHON'
import gzip, sys
data, kept, at = gzip.open(sys.argv[1]).read(), b'', 0
def varint(at):
    value, shift = 0, 0
    while True:
        value, shift, at = value | (data[at] & 127) << shift, shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at
while at < len(data):
    begin = at
    key, at = varint(at)
    value, at = varint(at)
    at += value if key & 7 == 2 else 0
    kept += b'' if key >> 3 == 9 else data[begin:at] # time_nanos
gzip.open(sys.argv[2], 'wb').write(kept)
PYTHON
now=$(date +%s)
push() {
	curl -fsS "$url/ingest?name=demo&format=pprof&from=$((now - 10))&until=$now" -F "profile=@$pushed"
}
expect "a profile of Go's is pushed" push

descriptors=$work/descriptors
describe() {
	(cd "$root/proto" && protoc --include_imports --descriptor_set_out="$descriptors" -I. \
		querier/v1/querier.proto settings/v1/setting.proto vcs/v1/vcs.proto capabilities/v1/feature_flags.proto)
}
expect "protoc reads our .proto files" describe
from=$(((now - 3600) * 1000)) to=$(((now + 3600) * 1000))
calls() { (cd "$here/connect-node" && timeout 100 node call.mjs "$url" "$descriptors" $from $to "$work/merged.pprof"); }
expect "Connect's client is answered over every transport" calls
grpc_js() { (cd "$here/grpc-js" && timeout 60 node query.mjs "$address" "$root/proto" $from $to); }
expect "grpc-js is answered" grpc_js

# top FILE: functions and their values, without the head, which tells when it was.
top() { go tool pprof -top -unit=ns -sample_index=cpu "$1" 2>/dev/null | sed -n '/flat%/,$p'; }
if command -v go >/dev/null; then
	top "$pushed" >"$work/pushed.top"
	top "$work/merged.pprof" >"$work/merged.top"
	[ "$(wc -l <"$work/pushed.top")" -gt 3 ] && ok "go tool pprof reads what was pushed" ||
		not_ok "go tool pprof reads what was pushed"
	expect "and the same out of the merged profile" diff "$work/pushed.top" "$work/merged.top"
	lines() { go tool pprof -traces -lines "$work/merged.pprof" 2>/dev/null | grep -q 'main.spin.*main.go:[0-9]'; }
	expect "with files and lines" lines
else
	skip "go is not there"
fi
expect "render has the same sum" sh -c "curl -fsS --compressed '$url/pyroscope/render?query=process_cpu:cpu:nanoseconds:cpu:nanoseconds%7Bservice_name=%22demo%22%7D&from=now-1h&until=now' | grep -q '\"numTicks\":480000000'"
stop "$server"
[ "$status" -eq 0 ] && ok "the server ends cleanly" || not_ok "the server ends cleanly (exit status $status)"
