# Programs that are hard to profile, beside `cresset up`: every one keeps its name and its functions,
# its time is counted once, and none of them stops or swells the agent.
. "$(dirname "$0")/lib.sh"
odd=$BUILD/tests/scenario/odd

start up "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data"
up=$last
expect "cresset up prints its URL within 10 s" within 10 has_url up
url=$(url_of up)
for pid in $(pgrep -P "$up"); do
	case $(cat "/proc/$pid/comm") in cresset-agent*) agent=$pid ;; esac
done
rss_kb() { awk '/^VmRSS/ {print $2}' "/proc/$agent/status"; }

as() { # as SERVICE COMMAND...: in the background, under this name
	local service=$1
	shift
	OTEL_SERVICE_NAME=$service start "$service" "$@"
}
folded() { "$CRESSET" query --server="$url" --from=-5m --format=folded --selector="{service_name=\"$1\"}" 2>/dev/null; }
ms() { folded "$1" | awk -v f="$2" 'index($0, f) {n += $NF} END {printf "%d\n", n / 1e6}'; }
near() { # near SENTENCE GOT WANTED: within 20 %, and 50 ms for the clock's grain
	[ "$2" -ge $(($3 * 8 / 10 - 50)) ] && [ "$2" -le $(($3 * 12 / 10 + 50)) ] && ok "$1" ||
		not_ok "$1 ($2 ms, not $3)"
}

# Where a program is.
cp "$odd" "$work/deleted"
start deleted "$work/deleted" burn 1
sleep 0.1
rm "$work/deleted"
cp "$odd" "$work/upgraded"
start upgraded "$work/upgraded" burn 1
sleep 0.1
cp "$BUILD/tests/scenario/cresset-busy" "$work/new" && mv "$work/new" "$work/upgraded"
start memfd "$odd" memfd 1 in-memory
mkdir "$work/mnt"
start mount unshare -m sh -c "mount -t tmpfs none '$work/mnt' && cp '$odd' '$work/mnt/hidden' && exec '$work/mnt/hidden' burn 1"
as pid-namespace unshare -pf --mount-proc "$odd" burn 1
weird=$(printf 'a;"b\n\377')
cp "$odd" "$work/$weird"
start weird "$work/$weird" burn 1
OTEL_RESOURCE_ATTRIBUTES='a=b,service.name=per%20cent' start percent "$odd" burn 1

# What it does.
as leaderless "$odd" leader 1.5
as deep "$odd" deep 0.5 1500
as libraries "$odd" libraries 1.8 "$BUILD/tests/scenario/odd-one.so" "$BUILD/tests/scenario/odd-two.so"
as storm "$odd" storm 3
# An ELF header with one code segment and a .symtab of half a terabyte, in a file of one that is sparse.
{
	printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\76\0\1\0\0\0'
	printf '\0\2\0\0\0\0\0\0\100\0\0\0\0\0\0\0\0\4\0\0\0\0\0\0'
	printf '\0\0\0\0\100\0\70\0\1\0\100\0\3\0\0\0'
	printf '\1\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
	printf '\0\20\0\0\0\0\0\0\0\20\0\0\0\0\0\0\0\20\0\0\0\0\0\0'
} >"$work/sparse"
put() { printf "$2" | dd of="$work/sparse" bs=1 seek="$1" conv=notrunc status=none; }
put 512 '\271\0\0\20\0\377\311\165\374\303' # mov ecx, 1 << 20; dec ecx; jnz; ret
put 1088 '\0\0\0\0\2\0\0\0'                 # section 1: SHT_SYMTAB
put 1112 '\0\0\20\0\0\0\0\0\0\0\0\0\200\0\0\0\2\0\0\0'
put 1144 '\30\0\0\0\0\0\0\0'
put 1156 '\3\0\0\0'                         # section 2: SHT_STRTAB
put 1176 '\0\20\0\0\0\0\0\0\0\20\0\0\0\0\0\0'
truncate -s 1T "$work/sparse"
[ "$(uname -m)" != x86_64 ] || as sparse "$odd" file 1 "$work/sparse"
for pid in $pids; do [ "$pid" = "$up" ] || wait "$pid"; done

# A while during which the agent cannot follow, and loses events of every CPU: someone becomes another
# program.
cp "$odd" "$work/successor"
start successor sh -c "i=0; while [ \$i -lt 200000 ]; do i=\$((i + 1)); done; sleep 1.5; exec '$work/successor' burn 1.5"
successor=$last
sleep 1
kill -STOP "$agent"
for _ in $(seq "$(nproc)"); do "$odd" churn 1.5 & churns="${churns-} $!"; done
wait $churns
kill -CONT "$agent"
wait "$successor"
sleep 7 # one reporter interval and its jitter

near "a deleted program" "$(ms deleted odd_burn)" 1000
near "a program that was replaced while it ran" "$(ms upgraded odd_burn)" 1000
near "a program that is no file" "$(ms memfd:in-memory odd_burn)" 1000
near "a program that only its mount namespace has" "$(ms hidden odd_burn)" 1000
near "a program that numbers its own pids" "$(ms pid-namespace odd_burn)" 1000
near "a program with every kind of character in its name" "$(ms 'a;\"b\n?' odd_burn)" 1000
near "a service name in percent-encoding" "$(ms 'per cent' odd_burn)" 1000
near "a process that outlives its first thread" "$(ms leaderless after_leader)" 1500
near "children of 20 ms, each of them counted" "$(ms storm storm_child)" "$(cat "$work/storm.out")"
near "a stack deeper than the limit says so" "$(ms deep '[truncated: depth];deep')" 500
[ "$(uname -m)" != x86_64 ] || [ "$(ms sparse "")" -gt 300 ] && ok "a program of a terabyte" ||
	not_ok "a program of a terabyte ($(ms sparse "") ms)"
one=$(ms libraries lib_one_burn)
[ "$one" -gt 300 ] || not_ok "the first of two libraries is seen ($one ms)"
near "libraries that take turns at one address" "$(ms libraries lib_two_burn)" $((one * 3))
[ "$(ms successor odd_burn)" -ge 500 ] && ok "after lost events the new program has its name" ||
	not_ok "after lost events the new program has its name ($(ms successor odd_burn) ms)"

kill -0 "$agent" && ok "the agent lives" || not_ok "the agent lives"
ls "/proc/$agent/fd" >"$work/fds"
[ "$(wc -l <"$work/fds")" -lt 200 ] && ok "its descriptors are bounded" || not_ok "its descriptors are bounded ($(wc -l <"$work/fds"))"
if grep -q libasan "/proc/$agent/maps"; then skip "its memory: sanitizers take more"; else
	[ "$(rss_kb)" -le 65536 ] && ok "it takes $(rss_kb) KiB" || not_ok "it takes $(rss_kb) KiB"
fi
stop "$up"
[ "$status" -eq 0 ] && ok "SIGTERM ends it cleanly" || not_ok "SIGTERM ends it cleanly (exit status $status)"
