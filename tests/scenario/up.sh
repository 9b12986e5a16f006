# One command, one flame graph: start `cresset up` beside a busy program and find it.
. "$(dirname "$0")/lib.sh"

start busy "$BUILD/tests/scenario/cresset-busy" 0
busy=$last
began=$(date +%s%N)
start up "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data"
up=$last
expect "cresset up prints its URL within 5 s" within 5 has_url up
url=$(url_of up)
expect "the server says that it is ready" curl -fsS "$url/ready"

query() { "$CRESSET" query --server="$url" --from=-5m "$@"; }
sees_busy() { query --service=cresset-busy --format=folded | grep -q 'burn_most'; }
expect "the busy program's functions show within 10 s" within 10 sees_busy
took=$((($(date +%s%N) - began) / 1000000))
[ $took -le 10000 ] && ok "first flame graph after $took ms" || not_ok "first flame graph after $took ms"

folded() { query --service=cresset-busy --format=folded; }
expect "stacks lead from main to the function" sh -c "'$CRESSET' query --server='$url' --from=-5m --service=cresset-busy --format=folded | grep -q 'main;burn_most'"
expect "the top table names the function with its share" sh -c "'$CRESSET' query --server='$url' --from=-5m --service=cresset-busy | grep -Eq '[0-9]+\.[0-9]+% +burn_most'"
expect "the profiler sees itself" within 15 sh -c "'$CRESSET' query --server='$url' --from=-5m --service=cresset --format=folded | grep -q ."
expect "the page is there" sh -c "curl -fsS '$url/' | grep -qi '<title>.*cresset'"
expect "metrics are there" sh -c "curl -fsS '$url/metrics' | grep -q '^cresset_store_'"
expect "buildinfo is there" sh -c "curl -fsS '$url/api/v1/status/buildinfo' | grep -q '\"version\"'"

total() { query --service=cresset-busy --format=folded | awk '{n += $NF} END {print n + 0}'; }
kill -STOP "$busy"
sleep 8 # two reporter intervals, so that all of it is stored
before=$(total)
stop "$up"
[ "$status" -eq 0 ] && ok "SIGTERM ends it cleanly" || not_ok "SIGTERM ends it cleanly (exit status $status)"
pgrep -P "$up" >/dev/null && not_ok "no process is left" || ok "no process is left"

start again "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data"
up=$last
within 5 has_url again
url=$(url_of again)
after=$(total)
[ "$before" -gt 0 ] && [ "$after" -eq "$before" ] && ok "a restart has every sample ($after ns)" ||
	not_ok "a restart has every sample ($before ns before, $after ns after)"

# The two processes hold no more than their job needs.
rights() { awk '/^CapEff/ {print $2}' "/proc/$1/status"; }
for pid in $(pgrep -P "$up"); do
	case $(tr '\0' ' ' <"/proc/$pid/comm") in
	cresset-server*) server_caps=$(rights "$pid") ;;
	cresset-agent*) agent_caps=$(rights "$pid") ;;
	esac
done
[ "${server_caps:-none}" = 0000000000000000 ] && ok "the server holds no capability" ||
	not_ok "the server holds no capability (${server_caps:-none})"
[ $((0x${agent_caps:-1fffffffff} & 0x200021)) -eq 0 ] && ok "the agent cannot administer the system" ||
	not_ok "the agent cannot administer the system (${agent_caps:-none})"
stop "$up" INT
[ "$status" -eq 0 ] && ok "Ctrl-C ends it cleanly" || not_ok "Ctrl-C ends it cleanly (exit status $status)"

# A service manager signals every process at once; the last window still arrives.
start group setsid "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data2" --log-level=info
up=$last
within 5 has_url group
url=$(url_of group)
within 10 sh -c "'$CRESSET' query --server='$url' --format=folded"
kill -TERM -- "-$up" 2>/dev/null || kill -TERM $(pgrep -P "$up") "$up"
wait "$up"
status=$?
[ "$status" -eq 0 ] && ok "SIGTERM to all of its processes ends it cleanly" || not_ok "SIGTERM to all of its processes ends it cleanly (exit status $status)"
grep -q 'dropping data' "$work/group.err" && not_ok "the last window is delivered" || ok "the last window is delivered"

# Killed with SIGKILL: the two others notice and stop, and nothing stays but the data.
start killed "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data3"
up=$last
within 5 has_url killed
left=$(pgrep -P "$up" | tr '\n' ' ')
socket_dir=$(grep -o '/[a-z]*/cresset-[A-Za-z0-9]*/agent.sock' /proc/net/unix | sort -u)
stop "$up" KILL
all_gone() { for pid in $left; do ! kill -0 "$pid" || grep -q '^State:.Z' "/proc/$pid/status" || return 1; done; }
expect "after a kill -9 of it both others end" within 10 all_gone
none_left() { [ -n "$socket_dir" ] || return 1; for path in $socket_dir; do [ ! -e "$path" ] || fuser_of "$path" || return 1; done; }
fuser_of() { grep -q "$1" /proc/net/unix; } # another instance's
expect "and their socket is gone" within 5 none_left
