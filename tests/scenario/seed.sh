# The configuration of the documentation page that Cresset follows: agent and server as two programs, over TCP.
. "$(dirname "$0")/lib.sh"

cat >"$work/pyroscope.yaml" <<'YAML'
limits:
    ingestion_relabeling_rules:
        - action: labelmap
          regex: ^process.executable.name$
          replacement: service_name
YAML
start server "$CRESSET" server -self-profiling.disable-push=true -config.file="$work/pyroscope.yaml" \
	-server.http-listen-address=127.0.0.1 -server.http-listen-port=0 -pyroscopedb.data-path="$work/data"
server=$last
listening() { grep -q 'address=' "$work/server.err"; }
expect "the server starts with the relabelling rule" within 5 listening
address=$(grep -om1 'address=127.0.0.1:[0-9]*' "$work/server.err" | cut -d= -f2)
cat >"$work/collector.yaml" <<YAML
receivers:
  profiling:
    samples_per_second: 97

exporters:
  otlp_grpc:
    endpoint: $address
    tls:
      insecure: true

service:
  pipelines:
    profiles:
      receivers: [profiling]
      exporters: [otlp_grpc]
YAML
start busy "$BUILD/tests/scenario/cresset-busy" 0
start agent "$CRESSET" agent --config="$work/collector.yaml" --feature-gates=+service.profilesSupport
agent=$last
sees_busy() { "$CRESSET" query --server="http://$address" --service=cresset-busy --format=folded | grep -q burn_most; }
expect "profiles arrive under the service name of the rule" within 15 sees_busy
values() {
	curl -fsS "http://$address/querier.v1.QuerierService/LabelValues" -H 'content-type: application/json' \
		-d "{\"name\":\"service_name\",\"start\":\"$((($(date +%s) - 600) * 1000))\",\"end\":\"$(date +%s)000\"}"
}
values | grep -q '"cresset-busy"' && ok "service_name lists it" || not_ok "service_name lists it: $(values)"
values | grep -q unknown_service && not_ok "no unknown_service: $(values)" || ok "no unknown_service"

# The server goes away and comes back: the agent holds what it has and delivers it.
port=${address##*:}
stop "$server" KILL
failing() { grep -q 'will try again' "$work/agent.err"; }
expect "the agent says that it will try again" within 20 failing
start server2 "$CRESSET" server -config.file="$work/pyroscope.yaml" -server.http-listen-address=127.0.0.1 \
	-server.http-listen-port="$port" -pyroscopedb.data-path="$work/data"
server=$last
sent() { [ "$(curl -fsS "http://$address/metrics" | awk '/^cresset_ingest_samples_total/ {n += $2} END {print n + 0}')" -gt 0 ]; }
expect "and delivers when the server is back" within 40 sent
stop "$agent"
[ "$status" -eq 0 ] && ok "the agent ends cleanly" || not_ok "the agent ends cleanly (exit status $status)"
grep -q 'dropping data' "$work/agent.err" && not_ok "nothing was dropped" || ok "nothing was dropped"
stop "$server"
[ "$status" -eq 0 ] && ok "the server ends cleanly" || not_ok "the server ends cleanly (exit status $status)"
