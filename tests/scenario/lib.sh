# For the scenario scripts: each is a story told with the real binary. Needs CRESSET (the binary)
# and BUILD (its build directory). Every process that a script starts is stopped by its pid.
set -u
work=$(mktemp -d)
pids=
failures=0

ok() { echo "ok - $*"; }
not_ok() {
	echo "not ok - $*"
	failures=$((failures + 1))
}
skip() { echo "skip - $*"; }

# expect SENTENCE COMMAND...: the command succeeds.
expect() {
	local sentence=$1
	shift
	if "$@" >"$work/expect.out" 2>&1; then ok "$sentence"; else
		not_ok "$sentence"
		sed 's/^/    /' "$work/expect.out" | tail -n 20
	fi
}

# refuses SENTENCE TEXT COMMAND...: the command fails, within 20 s, with one line on stderr that holds TEXT.
refuses() {
	local sentence=$1 text=$2 rc
	shift 2
	timeout 20 "$@" >"$work/refuse.out" 2>"$work/refuse.err"
	rc=$?
	if [ $rc -eq 0 ] || [ $rc -eq 124 ]; then
		not_ok "$sentence (exit status $rc)"
	elif ! grep -qF -- "$text" "$work/refuse.err"; then
		not_ok "$sentence (no \"$text\")"
		sed 's/^/    /' "$work/refuse.err" | tail -n 10
	elif [ "$(wc -l <"$work/refuse.err")" -ne 1 ]; then
		not_ok "$sentence (more than one line)"
		sed 's/^/    /' "$work/refuse.err" | tail -n 10
	else
		ok "$sentence"
	fi
}

# within SECONDS COMMAND...: tries until it succeeds.
within() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.1
	done
}

start() { # start NAME COMMAND...: in the background; output in $work/NAME.{out,err}; pid in $last
	local name=$1
	shift
	"$@" >"$work/$name.out" 2>"$work/$name.err" &
	last=$!
	pids="$pids $last"
}

stop() { # stop PID [SIGNAL]: and waits; exit status in $status
	kill "-${2:-TERM}" "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	status=$?
}

has_url() { grep -q 'http://' "$work/$1.out"; }
url_of() { grep -om1 'http://[^ ]*' "$work/$1.out"; } # the address that a started program printed

finish() {
	local pid
	for pid in $pids; do kill -TERM "$pid" && kill -CONT "$pid"; done 2>/dev/null # a stopped one hears nothing
	for pid in $pids; do wait "$pid" 2>/dev/null; done
	umount "$work"/mnt 2>/dev/null
	rm -rf "$work"
	[ "$failures" -eq 0 ]
}
trap 'rc=$?; finish; exit $((rc || failures))' EXIT
