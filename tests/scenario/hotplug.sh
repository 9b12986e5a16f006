# A CPU that comes online while the agent runs is sampled too.
. "$(dirname "$0")/lib.sh"
switch=/sys/devices/system/cpu/cpu1/online
if ! { [ -w $switch ] && [ "$(cat $switch)" = 1 ] && echo 0 >$switch; } 2>/dev/null; then
	skip "CPU 1 cannot be taken offline here"
	exit 0
fi
trap 'rc=$?; echo 1 >$switch; finish; exit $((rc || failures))' EXIT
start up "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data"
expect "cresset up starts with one CPU offline" within 10 has_url up
url=$(url_of up)
echo 1 >$switch
on_cpu() { "$CRESSET" query --server="$url" --selector="{service_name=\"cresset-busy\",cpu_logical_number=\"$1\"}" --format=folded; }
start busy taskset -c 1 "$BUILD/tests/scenario/cresset-busy" 0
sees_it() { on_cpu 1 | grep -q burn_most; }
expect "a program on the CPU that came online shows" within 20 sees_it
# What the process did before it was pinned and became cresset-busy (the shell's fork, taskset) may have run
# on CPU 0 under the same pid, and the events that tell the two apart are not read before CPU 1 is known.
burns_on() { on_cpu "$1" 2>/dev/null | grep -q burn_; }
burns_on 0 && not_ok "samples name the CPU they were taken on" || ok "samples name the CPU they were taken on"
