# Names that are not in the file itself, beside `cresset up`: those of debug files, in the root of the
# process and for files without a name, and those that a runtime writes down of code it compiles.
. "$(dirname "$0")/lib.sh"
odd=$BUILD/tests/scenario/odd

start up "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data"
up=$last
expect "cresset up prints its URL within 10 s" within 10 has_url up
url=$(url_of up)
folded() { "$CRESSET" query --server="$url" --from=-5m --format=folded --selector="{service_name=\"$1\"}" 2>/dev/null; }
shows() { folded "$1" | grep -q "$2"; } # shows SERVICE PATTERN

objcopy --only-keep-debug "$odd" "$work/odd.debug"
stripped() { objcopy --strip-all --add-gnu-debuglink="$work/odd.debug" "$odd" "$1"; }

# In a root of its own, with its libraries.
mkdir -p "$work/root/app/.debug" "$work/.debug"
stripped "$work/root/app/caged"
cp "$work/odd.debug" "$work/root/app/.debug/"
ldd "$odd" | grep -o '/[^ ]*' | while read -r library; do
	mkdir -p "$work/root$(dirname "$library")" && cp -L "$library" "$work/root$library"
done
start caged chroot "$work/root" /app/caged burn 30

stripped "$work/vanished"
cp "$work/odd.debug" "$work/.debug/"
start vanished "$work/vanished" burn 30
within 10 test "/proc/$last/exe" -ef "$work/vanished"
rm "$work/vanished"

cat >"$work/compiled.js" <<'END'
function busy_function(n) { return n < 2 ? n : busy_function(n - 1) + busy_function(n - 2); }
for (const end = Date.now() + 30000; Date.now() < end;) busy_function(24);
END
if command -v node >/dev/null; then
	OTEL_SERVICE_NAME=compiled start node env -C "$work" node --perf-basic-prof "$work/compiled.js"
	perf_map=/tmp/perf-$last.map
	OTEL_SERVICE_NAME=silent start silent node "$work/compiled.js"
fi

expect "a stripped program in a root of its own has the names of the debug file there" \
	within 40 shows caged 'main;.*odd_burn'
expect "a stripped and deleted program has those of its debug file" \
	within 40 shows vanished 'main;.*odd_burn'
if command -v node >/dev/null; then
	expect "functions that node compiles have names" \
		within 40 shows compiled "busy_function $work/compiled.js:1:23"
	expect "without a perf map they are memory" within 40 shows silent ';\[anon\]'
	rm -f "$perf_map"
else skip "no node here"; fi
stop "$up"
[ "$status" -eq 0 ] && ok "SIGTERM ends it cleanly" || not_ok "SIGTERM ends it cleanly (exit status $status)"
