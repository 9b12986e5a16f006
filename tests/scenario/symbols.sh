# Symbols that come after the profiles: a stripped program is sampled, its functions have no names; then its debug
# file is uploaded, or fetched from a debuginfod, and what was stored before has them.
. "$(dirname "$0")/lib.sh"
busy=$BUILD/tests/scenario/cresset-busy

objcopy --only-keep-debug "$busy" "$work/busy.debug"
objcopy --strip-all "$busy" "$work/stripped"
id=$(readelf -n "$busy" | awk '/Build ID/ {print $3}')

start up "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data"
up=$last
expect "cresset up prints its URL within 10 s" within 10 has_url up
url=$(url_of up)
start stripped "$work/stripped" 0
stripped=$last
folded() { "$CRESSET" query --server="$url" --from=-1h --format=folded --selector='{service_name="stripped"}' 2>/dev/null; }
shows() { folded | grep -q "$1"; } # shows PATTERN
expect "a stripped program is sampled; its functions have no names" within 40 shows ';stripped+0x'
stop "$stripped"
shows burn_most && not_ok "no name is known yet" || ok "no name is known yet"

symbols() { "$CRESSET" symbols "$@" --server="$url"; }
lists() { symbols list | grep -q "$1"; } # lists PATTERN
expect "the list has the build id among those that are missing" lists "^$id .*stripped"
refuses "what is no ELF file is refused" "not an ELF file" \
	"$CRESSET" symbols upload --url="$url" "$0"
refuses "a stripped file is refused" "has no symbols" \
	"$CRESSET" symbols upload --url="$url" "$work/stripped"
refuses "a file that is not there is named" "$work/nothing" \
	"$CRESSET" symbols upload --url="$url" "$work/nothing"
expect "the debug file is uploaded" symbols upload "$work/busy.debug"
expect "what was stored before has names now" shows 'main;.*burn_most'
folded | grep -q ';stripped+0x' && not_ok "no function is without: $(folded | head -n 3)" || ok "no function is without"
expect "one function is one bar" [ "$(folded | grep -c ';burn_most ')" -eq 1 ]
expect "the list says where they are from" lists "^$id .*upload"
expect "an upload again replaces them" sh -c "'$CRESSET' symbols upload --url='$url' '$work/busy.debug' | grep -q replaced"
expect "they are deleted" symbols delete "$id"
expect "and the names are gone" shows ';stripped+0x'
refuses "what is not there cannot be deleted" "no symbols of build id $id" \
	"$CRESSET" symbols delete --url="$url" "$id"
stop "$up"
[ "$status" -eq 0 ] && ok "SIGTERM ends it cleanly" || not_ok "SIGTERM ends it cleanly (exit status $status)"

# The same data with a server that knows a debuginfod.
mkdir -p "$work/debuginfod/buildid/$id"
cp "$work/busy.debug" "$work/debuginfod/buildid/$id/debuginfo"
start debuginfod python3 -u -m http.server --bind 127.0.0.1 --directory "$work/debuginfod" 0
expect "a debuginfod is there" within 10 has_url debuginfod
debuginfod=$(url_of debuginfod | tr -d ')')
start server "$CRESSET" server -server.http-listen-address=127.0.0.1 -server.http-listen-port=0 \
	-pyroscopedb.data-path="$work/data" -symbols.debuginfod-url="$debuginfod"
server=$last
listening() { grep -q 'address=' "$work/server.err"; }
expect "the server starts" within 10 listening
url=http://$(grep -om1 'address=127.0.0.1:[0-9]*' "$work/server.err" | cut -d= -f2)
expect "the names come by themselves" within 20 shows 'main;.*burn_most'
expect "the list says that they are from the debuginfod" lists "^$id .*debuginfod"
stop "$server"
[ "$status" -eq 0 ] && ok "the server ends cleanly" || not_ok "the server ends cleanly (exit status $status)"
refuses "a debuginfod is http or https" "symbols.debuginfod_url" "$CRESSET" server \
	-server.http-listen-address=127.0.0.1 -server.http-listen-port=0 -pyroscopedb.data-path="$work/data2" \
	-symbols.debuginfod-url=ftp://example.org
