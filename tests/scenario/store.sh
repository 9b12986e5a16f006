# The store's care: backed up, verified and measured while `cresset up` fills it; restored elsewhere; the same answers.
. "$(dirname "$0")/lib.sh"

store() { "$CRESSET" store "$@"; }
start busy "$BUILD/tests/scenario/cresset-busy" 0
busy=$last
start up "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data"
up=$last
expect "cresset up starts" within 10 has_url up
url=$(url_of up)
ask() { "$CRESSET" query --server="$url" --from=-15m --until="${until:-now}" --service=cresset-busy --format=folded; }
sees_busy() { ask | grep -q burn_most; }
expect "profiles arrive" within 20 sees_busy
[ "$(stat -c %a "$work/data/store/control")" = 600 ] && ok "the control socket is its owner's alone" ||
	not_ok "the control socket is its owner's alone"

# While it runs: whatever is acknowledged is in the copy, so the answer up to now is the same.
expect "verify finds nothing while it runs" store verify --data-dir="$work/data"
expect "stats counts while it runs" sh -c "'$CRESSET' store stats --data-dir='$work/data' | grep -Eq '^samples +[0-9.]+ .iB'"
kill -STOP "$busy"
same_twice() { [ "$(ask)" = "$(sleep 6 && ask)" ]; } # an agent's window is 5 s long
expect "the stopped program's samples have all arrived" within 40 same_twice
until=$(date +%s)
ask | sort >"$work/before"
expect "backup while it runs" store backup --data-dir="$work/data" --to="$work/backups/one"
ls -d "$work"/backups/*.partial >/dev/null 2>&1 && not_ok "nothing half made is left" || ok "nothing half made is left"
gone() { [ -z "$(ls "$work/data/store/checkpoints" 2>/dev/null)" ]; }
expect "the checkpoint is gone" within 5 gone
modes=$(find "$work/backups/one" -type d -exec stat -c %a {} + | sort -u | tr '\n' ' ')
[ "$modes" = "700 " ] && ok "the copy's directories are its owner's alone" || not_ok "the copy's directories are its owner's alone ($modes)"
refuses "a second backup to the same place" "is there already" "$CRESSET" store backup --data-dir="$work/data" --to="$work/backups/one"
stop "$up"
[ "$status" -eq 0 ] && ok "it stops cleanly" || not_ok "it stops cleanly (exit status $status)"
[ ! -e "$work/data/store/control" ] && ok "the control socket goes with it" || not_ok "the control socket goes with it"
expect "verify finds nothing when it is stopped" store verify --data-dir="$work/data"
expect "verify finds nothing in the backup" store verify --data-dir="$work/backups/one"
expect "backup of a stopped one" store backup --data-dir="$work/data" --to="$work/backups/two"

# Restored elsewhere, and a server on it.
refuses "restore refuses a directory with something in it" "is not empty" "$CRESSET" store restore --from="$work/backups/one" --data-dir="$work/data"
refuses "restore refuses what is no backup" "there is no store in" "$CRESSET" store restore --from="$work" --data-dir="$work/new"
mkdir "$work/new"
expect "restore fills an empty directory" store restore --from="$work/backups/one" --data-dir="$work/new"
start server "$CRESSET" server -self-profiling.disable-push=true -server.http-listen-address=127.0.0.1 \
	-server.http-listen-port=0 -pyroscopedb.data-path="$work/new"
server=$last
listening() { grep -q 'address=' "$work/server.err"; }
expect "a server starts on it" within 10 listening
url=http://$(grep -om1 'address=127.0.0.1:[0-9]*' "$work/server.err" | cut -d= -f2)
ask | sort >"$work/after"
[ -s "$work/before" ] && cmp -s "$work/before" "$work/after" && ok "and answers as the first did ($(wc -l <"$work/after") stacks)" ||
	{ not_ok "and answers as the first did"; diff "$work/before" "$work/after" | head -n 10; }
refuses "restore refuses the one in use" "is not empty" "$CRESSET" store restore --from="$work/backups/one" --data-dir="$work/new"
stop "$server" KILL
expect "verify finds nothing after a kill -9" store verify --data-dir="$work/new"

# Interrupted: nothing under the final name, and the next one is not in its way.
start server2 "$CRESSET" server -self-profiling.disable-push=true -server.http-listen-address=127.0.0.1 \
	-server.http-listen-port=0 -pyroscopedb.data-path="$work/new"
server=$last
listening() { grep -q 'address=' "$work/server2.err"; }
within 10 listening
for signal in TERM KILL; do
	start "backup-$signal" "$CRESSET" store backup --data-dir="$work/new" --to="$work/backups/cut"
	sleep 0.0$((RANDOM % 10))
	stop "$last" "$signal"
	if [ "$status" -eq 0 ]; then
		ok "a backup that SIG$signal came too late for is whole"
		expect "verify agrees" store verify --data-dir="$work/backups/cut"
		rm -rf "$work/backups/cut"
	else
		[ ! -e "$work/backups/cut" ] && ok "a backup cut short by SIG$signal leaves nothing under its name" ||
			not_ok "a backup cut short by SIG$signal leaves nothing under its name"
	fi
done
checkpoints_gone() { [ -z "$(ls "$work/new/store/checkpoints" 2>/dev/null)" ]; }
expect "nor a checkpoint" within 10 checkpoints_gone
expect "and the next one works" store backup --data-dir="$work/new" --to="$work/backups/cut"
stop "$server"

# Damage is found, said and counted in the exit status; a newer format is refused.
largest=$(ls -S "$work"/backups/two/store/db/*.sst | head -n 1)
printf '\377\377\377\377' | dd of="$largest" bs=1 seek=64 conv=notrunc status=none
"$CRESSET" store verify --data-dir="$work/backups/two" >"$work/verify.out" 2>"$work/verify.err"
status=$?
[ "$status" -eq 1 ] && grep -q 'block checksum mismatch' "$work/verify.out" && grep -q 'is damaged' "$work/verify.err" &&
	ok "four changed bytes are found" || { not_ok "four changed bytes are found (exit status $status)"; cat "$work/verify.out"; }
echo 'cresset-store 99' >"$work/backups/cut/store/FORMAT"
refuses "a newer format is not copied" "has format 99" "$CRESSET" store backup --data-dir="$work/backups/cut" --to="$work/backups/three"
refuses "nor restored" "has format 99" "$CRESSET" store restore --from="$work/backups/cut" --data-dir="$work/newer"
refuses "nor verified" "has format 99" "$CRESSET" store verify --data-dir="$work/backups/cut"
[ ! -e "$work/newer/store" ] && ok "and leaves nothing behind" || not_ok "and leaves nothing behind"

# The command line.
refuses "a command that is not there" 'there is no command "copy"' "$CRESSET" store copy
refuses "no command" "give a command" "$CRESSET" store
refuses "backup without a place" "--to=DIR is needed" "$CRESSET" store backup --data-dir="$work/data"
refuses "an option that is not there" "did you mean --data-dir?" "$CRESSET" store verify --datadir=x
for command in backup restore verify stats; do
	expect "$command has help" sh -c "'$CRESSET' store $command --help | grep -q 'Usage: cresset store $command'"
done
