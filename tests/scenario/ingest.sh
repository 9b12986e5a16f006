# Every way of taking profiles in besides OTLP, over sockets: push.v1 in its three protocols, /ingest in its
# formats; and the same again is stored once, also when the server was killed in between.
. "$(dirname "$0")/lib.sh"

data=$(realpath "$(dirname "$0")")/../data
# The files in tests/data are of one day, whatever day it is: neither too new nor too old.
serve() { # serve NAME
	start "$1" "$CRESSET" server -self-profiling.disable-push=true -server.http-listen-address=127.0.0.1 \
		-server.http-listen-port=0 -pyroscopedb.data-path="$work/data" -validation.reject-newer-than=876000h -retention-period=0 ${config-}
	server=$last
	listening() { grep -q 'address=' "$work/$1.err"; }
	expect "a server starts" within 10 listening "$1"
	url=http://$(grep -om1 'address=127.0.0.1:[0-9]*' "$work/$1.err" | cut -d= -f2)
}
serve server
# stacks SERVICE TYPE: folded.
stacks() { "$CRESSET" query --server="$url" --from=1500000000 --until=4000000000 --service="$1" --profile-type="$2" --format=folded; }
holds() { stacks "$1" "$2" | grep -qF "$3"; }
status() { # status URL_TAIL CURL_ARGS...: the HTTP status of a POST
	local tail=$1
	shift
	curl -sS --max-time 20 -o "$work/answer" -w '%{http_code}' -X POST "$@" "$url$tail"
}
is() { [ "$(status "${@:2}")" = "$1" ]; }
cpu=process_cpu:cpu:nanoseconds:cpu:nanoseconds

# A PushRequest, as protobuf, in a gRPC frame and as JSON.
python3 - "$work" "$data/pprof/go-cpu.pprof" <<'PYTHON'
import base64, json, struct, sys
work, profile = sys.argv[1], open(sys.argv[2], 'rb').read()
def varint(n):
    out = b''
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])
def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data
def push(service):
    labels = {'__name__': 'process_cpu', 'service_name': service, '__delta__': 'false'}
    pairs = b''.join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in labels.items())
    return field(1, pairs + field(2, field(1, profile) + field(2, b'id-' + service.encode())))
open(work + '/push.pb', 'wb').write(push('proto'))
grpc = push('grpc')
open(work + '/push.grpc', 'wb').write(b'\0' + struct.pack('>I', len(grpc)) + grpc)
json.dump({'series': [{'labels': [{'name': '__name__', 'value': 'process_cpu'}, {'name': 'service_name', 'value': 'json'}],
    'samples': [{'ID': 'one', 'rawProfile': base64.b64encode(profile).decode()}]}]}, open(work + '/push.json', 'w'))
PYTHON
push=/push.v1.PusherService/Push
expect "push.v1 over Connect, protobuf" is 200 $push -H 'content-type: application/proto' --data-binary "@$work/push.pb"
expect "push.v1 over Connect, JSON" is 200 $push -H 'content-type: application/json' --data-binary "@$work/push.json"
gzip -k "$work/push.pb"
expect "the same with Content-Encoding gzip" is 200 $push -H 'content-type: application/proto' -H 'content-encoding: gzip' \
	--data-binary "@$work/push.pb.gz"
grpc_ok() {
	curl -sSv --max-time 20 --http2-prior-knowledge -H 'content-type: application/grpc' -H 'te: trailers' \
		--data-binary "@$work/push.grpc" "$url$push" 2>&1 | grep -aqi '^< grpc-status: 0'
}
expect "push.v1 over gRPC" grpc_ok
for service in proto json grpc; do
	expect "$service: what was pushed is there, once" holds $service $cpu 'main.main;main.spin 170000000'
done
expect "a push of nothing is an error with its code" is 400 $push -H 'content-type: application/json' -d '{}'
grep -q '"code":"invalid_argument"' "$work/answer" && ok "that Connect's clients read" || not_ok "that Connect's clients read"

# /ingest. ingest APP FORMAT CURL_ARGS...
ingest() { status "${prefix-}/ingest?name=$1&format=$2&from=1700000000&until=1700000010" "${@:3}"; }
takes() { [ "$(ingest "$@")" = 200 ]; }
printf 'main;work 3\nmain 1\n' >"$work/groups"
printf 'main;work\nmain;work\n' >"$work/lines"
printf '\0\0\1\5main;\0\1\4work\7\0' >"$work/trie"
printf '\0\0\1\4main\0\1\4work\7\0' >"$work/tree"
cat >"$work/speedscope" <<'JSON'
{"$schema":"https://www.speedscope.app/file-format-schema.json","shared":{"frames":[{"name":"main"},{"name":"work"}]},
"profiles":[{"type":"evented","name":"t","unit":"milliseconds","startValue":0,"endValue":5,"events":[{"type":"O","frame":0,"at":0},
{"type":"O","frame":1,"at":1},{"type":"C","frame":1,"at":4},{"type":"C","frame":0,"at":5}]}]}
JSON
for format in groups lines trie tree speedscope; do
	expect "/ingest takes $format" takes $format $format --data-binary "@$work/$format"
done
expect "/ingest takes pprof" takes pprof pprof --data-binary "@$data/pprof/go-cpu.pprof"
expect "/ingest takes pprof in a form" takes form pprof -F "profile=@$data/pprof/go-cpu.pprof" \
	-F 'sample_type_config={"cpu":{"units":"samples","sampled":true}};type=application/json'
expect "/ingest takes a JFR recording" takes jfr jfr --data-binary "@$data/jfr/demo.jfr.gz"
prefix=/pyroscope
expect "/pyroscope/ingest is the same" takes prefix groups --data-binary "@$work/groups"
prefix=
everything() {
	stacks groups $cpu
	for app in lines trie tree speedscope pprof form jfr prefix; do stacks $app $cpu; done
}
expect "groups: 100 Hz when nothing is said" holds groups $cpu 'main;work 30000000'
expect "lines: one each" holds lines $cpu 'main;work 20000000'
expect "trie" holds trie $cpu 'main;work 70000000'
expect "tree" holds tree $cpu 'main;work 70000000'
expect "speedscope: exact time" holds speedscope $cpu 'main;work 3000000'
expect "pprof" holds pprof $cpu 'main.main;main.spin 170000000'
expect "pprof in a form" holds form $cpu 'main.main;main.spin 170000000'
expect "jfr: CPU" holds jfr $cpu 'Demo.main;Demo.burnMost 400000000'
expect "jfr: waiting for a lock" holds jfr mutex:delay:nanoseconds:mutex:count 'Demo.main;Demo.waitForLock 208562883'
expect "nonsense is 422 with a reason" is 422 '/ingest?name=a&format=groups' --data-binary 'a b'
grep -q 'line 1: "b" is no number' "$work/answer" && ok "that names the line" || not_ok "that names the line"
expect "a request without a name is 400" is 400 '/ingest' --data-binary 'a 1'

# What was acknowledged survives a kill, and the same again is known.
everything | sort >"$work/before"
stop "$server" KILL
serve again
everything | sort >"$work/after"
[ -s "$work/before" ] && cmp -s "$work/before" "$work/after" && ok "a kill -9 loses nothing ($(wc -l <"$work/before") stacks)" ||
	{ not_ok "a kill -9 loses nothing"; diff "$work/before" "$work/after" | head -n 10; }
for format in groups lines trie tree speedscope; do ingest $format $format --data-binary "@$work/$format" >/dev/null; done
ingest form pprof -F "profile=@$data/pprof/go-cpu.pprof" \
	-F 'sample_type_config={"cpu":{"units":"samples","sampled":true}};type=application/json' >/dev/null
ingest jfr jfr --data-binary "@$data/jfr/demo.jfr.gz" >/dev/null
status $push -H 'content-type: application/proto' --data-binary "@$work/push.pb" >/dev/null
everything | sort >"$work/after"
[ -s "$work/before" ] && cmp -s "$work/before" "$work/after" && ok "the same requests again change nothing" || not_ok "the same requests again change nothing"
expect "nor does the same push" holds proto $cpu 'main.main;main.spin 170000000'
stop "$server"

# What a tenant may send at once holds for these ways too.
echo 'overrides: {small: {ingestion_body_limit_mb: 0.0001}}' >"$work/overrides.yaml"
printf 'multitenancy_enabled: true\nruntime_config: {file: %s}\n' "$work/overrides.yaml" >"$work/config.yaml"
config=-config.file=$work/config.yaml serve tenants
form=(-H 'x-scope-orgid: small' --data-binary "@$data/pprof/go-cpu.pprof")
expect "a tenant's limit of a request holds for /ingest" is 413 '/ingest?name=a&format=pprof' "${form[@]}"
grep -q 'ingestion_body_limit_mb' "$work/answer" && ok "and the answer names it" || not_ok "and the answer names it"
expect "for push.v1" is 429 $push -H 'x-scope-orgid: small' -H 'content-type: application/proto' --data-binary "@$work/push.pb"
expect "and for nobody else" is 200 $push -H 'x-scope-orgid: large' -H 'content-type: application/proto' --data-binary "@$work/push.pb"
expect "without a tenant nothing is taken" is 401 '/ingest?name=a' --data-binary 'a 1'
