# What a person reads when something is wrong: one clear line, and a non-zero exit.
. "$(dirname "$0")/lib.sh"

refuses "an unknown command" 'there is no command "upp"' "$CRESSET" upp
refuses "an unknown option, with the nearest one" 'did you mean --listen' "$CRESSET" up --listne=:1
refuses "an option without its value" '--data-dir needs a value' "$CRESSET" up --data-dir
refuses "a server URL that nobody answers" '127.0.0.1:1' "$CRESSET" query --server=http://127.0.0.1:1
refuses "a time that is none" '--from=yesterday' "$CRESSET" query --from=yesterday

# Not root: the agent says what is missing, how to get it.
chmod 755 "$work"
cp "$CRESSET" "$work/cresset" && chmod 755 "$work/cresset"
mkdir -m 777 "$work/nobody"
refuses "no root" 'root' setpriv --reuid=65534 --regid=65534 --clear-groups "$work/cresset" up --listen=127.0.0.1:0 --data-dir="$work/nobody"

# No BTF: as on a kernel built without it.
no_btf='mount -t tmpfs none /sys/kernel/btf && exec "$@"'
refuses "no BTF" 'BTF' unshare -m sh -c "$no_btf" sh "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/btf"

# The port is taken.
start holder "$CRESSET" server -server.http-listen-address=127.0.0.1 -server.http-listen-port=0 -pyroscopedb.data-path="$work/holder"
holder=$last
listening() { grep -q 'address=' "$work/holder.err"; }
within 5 listening
port=$(grep -om1 'address=127.0.0.1:[0-9]*' "$work/holder.err" | grep -o '[0-9]*$')
refuses "the port is taken" "127.0.0.1:$port" "$CRESSET" up --listen="127.0.0.1:$port" --data-dir="$work/port"
refuses "the data directory is in use" "$work/holder" "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/holder"
stop "$holder"
[ "$status" -eq 0 ] && ok "cresset server ends cleanly" || not_ok "cresset server ends cleanly (exit status $status)"

# The disk is full at the start.
mkdir "$work/mnt"
if mount -t tmpfs -o size=64k none "$work/mnt"; then
	dd if=/dev/zero of="$work/mnt/filler" bs=1k >/dev/null 2>&1
	refuses "the disk is full" "$work/mnt/data" "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/mnt/data"
	umount "$work/mnt"
fi
refuses "the data directory cannot be made" '/proc/no' "$CRESSET" up --listen=127.0.0.1:0 --data-dir=/proc/no/where

# A wrong field in the Collector's YAML: file, line and key.
cat >"$work/agent.yaml" <<'YAML'
receivers:
  profiling:
    samples_per_secnd: 97
exporters:
  otlp_grpc:
    endpoint: 127.0.0.1:4040
service:
  pipelines:
    profiles:
      receivers: [profiling]
      exporters: [otlp_grpc]
YAML
gate=--feature-gates=service.profilesSupport
refuses "a misspelt key of the agent: line" "agent.yaml:3" "$CRESSET" agent --config="$work/agent.yaml" $gate
refuses "a misspelt key of the agent: suggestion" "samples_per_second" "$CRESSET" agent --config="$work/agent.yaml" $gate
sed -i 's/secnd/second/' "$work/agent.yaml"
refuses "no feature gate" "service.profilesSupport" "$CRESSET" agent --config="$work/agent.yaml"
sed -i 's/97/many/' "$work/agent.yaml"
refuses "a value that is none" "agent.yaml:3" "$CRESSET" agent --config="$work/agent.yaml" $gate
sed -i 's/many/97/; s/^service:/processors:\n  k8sattributes\/profiles:\n    passthrough: false\nservice:/' "$work/agent.yaml"
refuses "a processor that is not there yet is named" 'k8sattributes/profiles' "$CRESSET" agent --config="$work/agent.yaml" $gate
refuses "a file that does not exist" "$work/none.yaml" "$CRESSET" agent --config="$work/none.yaml" $gate
refuses "no configuration" "--config" "$CRESSET" agent $gate
: >"$work/empty.yaml"
refuses "an empty configuration" "no receiver" "$CRESSET" agent --config="$work/empty.yaml" $gate
sed 's/^receivers:/receivers: [profiling]\nx:/' "$work/agent.yaml" >"$work/list.yaml"
refuses "a list where a map belongs" "list.yaml" "$CRESSET" agent --config="$work/list.yaml" $gate

# A wrong field in the server's YAML.
cat >"$work/server.yaml" <<'YAML'
limits:
    ingestion_relabeling_rulez:
        - action: labelmap
YAML
refuses "a misspelt key of the server: line" "server.yaml:2" "$CRESSET" server -config.file="$work/server.yaml"
refuses "a misspelt key of the server: suggestion" "ingestion_relabeling_rules" "$CRESSET" server -config.file="$work/server.yaml"
printf 'limits:\n    ingestion_relabeling_rules:\n        - action: labelmapp\n' >"$work/server.yaml"
refuses "a relabelling action that is none" "server.yaml:3" "$CRESSET" server -config.file="$work/server.yaml"
refuses "a flag that is none" "-server.http-listen-prot" "$CRESSET" server -server.http-listen-prot=1
"$CRESSET" server -server.http-listen-prot=1 2>/dev/null
[ $? -eq 2 ] && ok "a wrong flag of the server is wrong usage: 2" || not_ok "a wrong flag of the server is wrong usage: 2"
"$CRESSET" server -config.file="$work/server.yaml" 2>/dev/null
[ $? -eq 1 ] && ok "a wrong file is a failure: 1" || not_ok "a wrong file is a failure: 1"
refuses "hash-password with an argument" "not an option" "$CRESSET" server hash-password secret
expect "hash-password explains itself" sh -c "'$CRESSET' server hash-password --help | grep -q password_hash"
refuses "two ways to choose a service" "exclude each other" "$CRESSET" query --service=a --selector='{b="c"}'
for command in "" up agent server query doctor; do
	expect "cresset $command --help" "$CRESSET" $command --help
	expect "cresset $command --version" sh -c "'$CRESSET' $command --version | grep -qE '^cresset [0-9]+\.[0-9]+\.[0-9]+$'"
done
expect "cresset help query is that of the command" sh -c "'$CRESSET' help query | grep -q -- --service"
refuses "output that cannot be written" "stdout" sh -c "exec '$CRESSET' --help >/dev/full"

# Started without stdin, stdout and stderr: none of our files may become one of them.
("$CRESSET" server -server.http-listen-address=127.0.0.1 -server.http-listen-port=0 -self-profiling.disable-push=true \
	-pyroscopedb.data-path="$work/closed" <&- >&- 2>&- &
	echo $! >"$work/closed.pid")
closed=$(cat "$work/closed.pid")
pids="$pids $closed"
within 5 test -e "$work/closed/store/db/CURRENT"
[ "$(readlink "/proc/$closed/fd/0" "/proc/$closed/fd/1" "/proc/$closed/fd/2" | grep -c '^/dev/null$')" -eq 3 ] &&
	ok "closed descriptors are held open" || not_ok "closed descriptors are held open: $(ls -l "/proc/$closed/fd")"
kill -TERM "$closed"
gone() { ! kill -0 "$closed"; }
expect "and it stops" within 10 gone
