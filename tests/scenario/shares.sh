# A program that spends 60, 30 and 10 % of its time in three functions, from the sampler at 97 Hz through
# the server to what a query prints.
. "$(dirname "$0")/lib.sh"
split=$BUILD/tests/accuracy/split
seconds=${SHARES_SECONDS:-12}

start up "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data"
up=$last
expect "cresset up prints its URL within 10 s" within 10 has_url up
url=$(url_of up)
for i in 1 2; do
	OTEL_SERVICE_NAME=shares start "split$i" "$split" "$seconds"
	splits="${splits-} $last"
done
for pid in $splits; do wait "$pid"; done

folded() { "$CRESSET" query --server="$url" --from=-10m --format=folded --selector='{service_name="shares"}' 2>/dev/null; }
ms() { folded | awk -v f="$1" 'index($0, f) {n += $NF} END {printf "%d\n", n / 1e6}'; }
# The last window is there when as much as was spent has been seen, but for the clock's grain.
spent=$((2 * seconds * 1000))
all_there() { [ "$(ms spend_)" -ge $((spent * 97 / 100)) ]; }
within 20 all_there || true
folded >"$work/folded"
total=$(ms spend_)
[ "$total" -ge $((spent * 9 / 10)) ] && [ "$total" -le $((spent * 11 / 10)) ] && ok "$total ms of $spent ms are there" ||
	not_ok "$total ms of $spent ms are there"

# share FUNCTION PERCENT: within 5.2 standard deviations of as many throws of a coin as there are samples, which
# chance alone misses once in five million times, and half a percent for the program's own inexactness.
share() {
	awk -v f="$1" -v p="$2" 'index($0, "spend_") {all += $NF} index($0, f) {n += $NF}
		END {
			if (all == 0) { print "nothing"; exit 1 }
			p /= 100; got = n / all; samples = all / 1e9 * 97
			tolerance = 5.2 * sqrt(p * (1 - p) / samples) + 0.005
			printf "%.2f %%, tolerance %.2f\n", 100 * got, 100 * tolerance
			exit got < p - tolerance || got > p + tolerance
		}' "$work/folded" >"$work/share" && ok "$1 has $(cat "$work/share")" || not_ok "$1 has $(cat "$work/share"), not $2 %"
}
share spend_sixty 60
share spend_thirty 30
share spend_ten 10

# Each stack is whole, from the program's start to the function.
whole=$(awk '/_start;.*main;(balance;)?spend_/ {n += $NF} END {printf "%d", n / 1e6}' "$work/folded")
[ "$whole" -ge $((total * 995 / 1000)) ] && ok "stacks are whole from _start on" ||
	not_ok "stacks are whole from _start on ($whole ms of $total ms): $(head -n 3 "$work/folded")"
stop "$up"
[ "$status" -eq 0 ] && ok "SIGTERM ends it cleanly" || not_ok "SIGTERM ends it cleanly (exit status $status)"
