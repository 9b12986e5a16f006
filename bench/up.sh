# How long from the start of `cresset up` to the first stored sample and to a symbolised flame graph, and the
# server's memory. Prints bench lines. Median of 3 starts.
set -u
work=$(mktemp -d)
cc -O0 -o "$work/cresset-busy" "$(dirname "$0")/../tests/scenario/busy.c" || exit 1
"$work/cresset-busy" 0 >/dev/null &
busy=$!
up=
trap 'kill $busy $up 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
now() { date +%s%N; }
# A short pause; after a minute there is nothing to wait for.
patience() {
	sleep 0.05
	[ $(($(now) - began)) -lt 60000000000 ] || { echo "nothing after 60 s" >&2; exit 1; }
}
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
for run in 1 2 3; do
	began=$(now)
	: >"$work/out" # or the last start's address is read
	"$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data$run" >"$work/out" 2>"$work/err" &
	up=$!
	until grep -q 'http://' "$work/out"; do sleep 0.02; kill -0 $up || exit 1; done
	url=$(grep -o 'http://[^ ]*' "$work/out")
	echo $((($(now) - began) / 1000000)) >>"$work/ready"
	until "$CRESSET" query --server="$url" --format=folded >"$work/folded" 2>/dev/null; do patience; done
	echo $((($(now) - began) / 1000000)) >>"$work/sample"
	until "$CRESSET" query --server="$url" --service=cresset-busy --format=folded 2>/dev/null | grep -q burn_most; do patience; done
	echo $((($(now) - began) / 1000000)) >>"$work/graph"
	server=$(pgrep -P $up -x cresset-server)
	awk '/^VmRSS/ {print int($2 / 1024)}' "/proc/$server/status" >>"$work/rss"
	kill -TERM $up
	wait $up
done
echo "bench up.first_sample $(median <"$work/sample" | awk '{print $1 / 1000}') s"
echo "bench up.first_graph $(median <"$work/graph" | awk '{print $1 / 1000}') s"
echo "bench up.ready $(median <"$work/ready") ms"
echo "bench up.server_rss $(median <"$work/rss") MB"
