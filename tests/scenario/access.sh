# Who may ask what: TLS, client certificates, users and tokens, limits of tenants, and all of that read anew under load.
. "$(dirname "$0")/lib.sh"
umask 077

certificate() { # certificate NAME SUBJECT: signed by the authority
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -addext "subjectAltName=IP:127.0.0.1" \
		-keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
	openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
		-copy_extensions copy -out "$work/$1.pem" 2>/dev/null
}
authority() { # authority NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}
authority ca
certificate server one
certificate client someone
authority other

configure() { # configure AUTH_TYPE TOKEN LIMIT
	cat >"$work/server.yaml.new" <<YAML
server:
  http_listen_address: 127.0.0.1
  http_tls_config:
    cert_file: $work/server.pem
    key_file: $work/server.key
    client_ca_file: $work/ca.pem
    client_auth_type: $1
  tls_min_version: VersionTLS12
  tls_cipher_suites: TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
multitenancy_enabled: true
auth:
  users:
    ana: {password_hash: '$hash', roles: [read], tenants: [a]}
  tokens:
    agent: {token_file: $work/agent.token, roles: [write], tenants: [a]}
    reader: {token: \${READER_TOKEN}, roles: [read]}
    root: {token: root-0123456789abcdef, roles: [admin]}
limits:
  max_query_length: $3
runtime_config:
  file: $work/runtime.yaml
  period: 1s
YAML
	READER_TOKEN=$2
	mv "$work/server.yaml.new" "$work/server.yaml"
}
hash=$(printf 'correct horse' | "$CRESSET" server hash-password)
echo agent-0123456789abcdef >"$work/agent.token"
echo '{}' >"$work/runtime.yaml"
configure VerifyClientCertIfGiven reader-0123456789abcdef 24h
export READER_TOKEN
start server "$CRESSET" server -config.file="$work/server.yaml" -config.expand-env -server.http-listen-port=0 \
	-pyroscopedb.data-path="$work/data"
server=$last
listening() { grep -q 'address=' "$work/server.err"; }
expect "the server starts with TLS, users and tokens" within 5 listening
address=$(grep -om1 'address=127.0.0.1:[0-9]*' "$work/server.err" | cut -d= -f2)

body=$work/body
code() { curl -s --cacert "$work/ca.pem" -o "$body" -w '%{http_code}' "$@"; }
is() { # is SENTENCE CODE CURL_ARGUMENTS...
	local sentence=$1 wanted=$2 got
	shift 2
	got=$(code "$@")
	[ "$got" = "$wanted" ] && ok "$sentence" || not_ok "$sentence (HTTP $got: $(head -c 200 "$work/body"))"
}
reader="authorization: Bearer reader-0123456789abcdef"
names() { echo "https://$address/querier.v1.QuerierService/LabelNames"; }
json="content-type: application/json"

is "/ready is open, over HTTP/2" 200 --http2 "https://$address/ready"
is "/ready is open, over HTTP/1.1" 200 --http1.1 "https://$address/ready"
is "the page asks for a login" 401 "https://$address/"
is "a user gets the page" 200 -u 'ana:correct horse' "https://$address/"
is "and not with another password" 401 -u 'ana:incorrect horse' "https://$address/"
is "a token reads, for the tenant that it names" 200 -H "$reader" -H 'x-scope-orgid: b' -H "$json" -d '{}' "$(names)"
is "and must name one" 401 -H "$reader" -H "$json" -d '{}' "$(names)"
is "a user of one tenant need not" 200 -u 'ana:correct horse' -H "$json" -d '{}' "$(names)"
is "nor may she name another" 403 -u 'ana:correct horse' -H 'x-scope-orgid: b' -H "$json" -d '{}' "$(names)"
is "who reads does not write" 403 -H "$reader" -H 'x-scope-orgid: b' -H "$json" -d '{}' "https://$address/v1development/profiles"
is "nor sees the configuration" 403 -H "$reader" "https://$address/api/v1/status/config"
is "an admin does" 200 -H 'authorization: Bearer root-0123456789abcdef' "https://$address/api/v1/status/config"
grep -qE 'reader-0123|scrypt|PRIVATE' "$work/body" && not_ok "without a secret" || ok "without a secret"
refuses "cresset symbols is told that it has no token" "log in" "$CRESSET" symbols list --ca-file="$work/ca.pem" --url="https://$address"

# A profile, as OTLP in JSON.
push() {
	cat >"$work/profile.json" <<JSON
{"resourceProfiles":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"oven"}}]},
 "scopeProfiles":[{"profiles":[{"timeUnixNano":"$(date +%s)000000000","durationNano":"1000000000",
 "sampleType":{"typeStrindex":1,"unitStrindex":2},"samples":[{"stackIndex":1,"values":["5"]}]}]}]}],
 "dictionary":{"stringTable":["","events","count","burn"],"mappingTable":[{}],"functionTable":[{},{"nameStrindex":3}],
 "locationTable":[{},{"lines":[{"functionIndex":1}]}],"stackTable":[{},{"locationIndices":[1]}],"linkTable":[{}],
 "attributeTable":[{}]}}
JSON
	code -H "authorization: Bearer agent-0123456789abcdef" -H "$json" -d @"$work/profile.json" "$@" \
		"https://$address/v1development/profiles"
}
[ "$(push)" = 200 ] && ok "the agent's token writes" || not_ok "the agent's token writes ($(cat "$work/body"))"
code -u 'ana:correct horse' -H "$json" -d '{"name":"service_name"}' "https://$address/querier.v1.QuerierService/LabelValues" >/dev/null
grep -q oven "$work/body" && ok "into its tenant" || not_ok "into its tenant ($(cat "$work/body"))"
code -H "$reader" -H 'x-scope-orgid: b' -H "$json" -d '{"name":"service_name"}' \
	"https://$address/querier.v1.QuerierService/LabelValues" >/dev/null
expect "cresset query logs in with its token" env CRESSET_TOKEN=reader-0123456789abcdef \
	"$CRESSET" query --ca-file="$work/ca.pem" --server="https://$address" --tenant=a --profile-type=events:events:count:: --format=folded
grep -q oven "$work/body" && not_ok "and no other" || ok "and no other"

# TLS itself.
tls_fails() { ! code "$@" >/dev/null; }
expect "TLS 1.1 is refused" tls_fails --tls-max 1.1 "https://$address/ready"
expect "a cipher suite that is not in the list is refused" tls_fails --tls-max 1.2 --ciphers ECDHE-ECDSA-AES128-GCM-SHA256 "https://$address/ready"
is "one that is in it is taken" 200 --tls-max 1.2 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384 "https://$address/ready"
is "a client certificate may be shown" 200 --cert "$work/client.pem" --key "$work/client.key" "https://$address/ready"
expect "one of another authority may not" tls_fails --cert "$work/other.pem" --key "$work/other.key" "https://$address/ready"

# Reload under load: every request is answered, on old connections and on new ones.
ask_many() { # ask_many FILE: one connection, many requests
	curl -s --cacert "$work/ca.pem" --cert "$work/client.pem" --key "$work/client.key" -H "$reader" -H 'x-scope-orgid: a' \
		-H "$json" -d '{}' -o /dev/null -w '%{http_code}\n' "$(names)?[1-1500]" >"$1"
}
ask_anew() { # ask_anew FILE: a connection each
	local i
	for i in $(seq 60); do
		code --cert "$work/client.pem" --key "$work/client.key" -H "$reader" -H 'x-scope-orgid: a' -H "$json" -d '{}' "$(names)"
		echo
	done >"$1" 2>/dev/null
}
reloads() { curl -s --cacert "$work/ca.pem" --cert "$work/client.pem" --key "$work/client.key" \
	-H 'authorization: Bearer root-0123456789abcdef' "https://$address/metrics" |
	awk '/^cresset_config_reloads_total.result="done"/ {print $2}'; }
ask_many "$work/many" &
many=$!
(body=/dev/null; ask_anew "$work/anew") &
anew=$!
for i in $(seq 15); do
	certificate server "number $i"
	configure "$([ $((i % 2)) = 0 ] && echo VerifyClientCertIfGiven || echo RequireAndVerifyClientCert)" \
		reader-0123456789abcdef "$((i + 1))h"
	kill -HUP "$server"
	sleep 0.1
done
wait "$many" "$anew"
[ "$(sort "$work/many" | uniq -c | tr -s ' ')" = " 1500 200" ] && ok "1500 requests on one connection are answered while certificates, tokens and limits change" ||
	not_ok "requests on one connection: $(sort "$work/many" | uniq -c | tr '\n' ' ')"
[ "$(sort "$work/anew" | uniq -c | tr -s ' ')" = " 60 200" ] && ok "and 60 on new ones" ||
	not_ok "requests on new connections: $(sort "$work/anew" | uniq -c | tr '\n' ' ')"
done_reloads() { [ "$(reloads)" -ge 15 ]; }
expect "all of the reloads were done" within 10 done_reloads
served() { openssl s_client -connect "$address" -CAfile "$work/ca.pem" </dev/null 2>/dev/null | grep -q 'CN *= *number 15'; }
expect "the last certificate is served" within 5 served

# Now a certificate is required.
expect "without a certificate nothing is answered" tls_fails "https://$address/ready"
cert="--cert $work/client.pem --key $work/client.key"
is "with one it is" 200 $cert "https://$address/ready"
root="authorization: Bearer root-0123456789abcdef"
code $cert -H "$root" -H 'x-scope-orgid: z' "https://$address/api/v1/tenant_limits" >/dev/null
grep -q 'max_query_length: 16h0m0s' "$work/body" && ok "the last limits hold" || not_ok "the last limits hold: $(grep max_query_length "$work/body")"

# What is wrong changes nothing and is said.
sed -i 's/max_query_length/max_query_lenght/' "$work/server.yaml"
kill -HUP "$server"
said() { grep -q 'the configuration stays as it was.*did you mean' "$work/server.err"; }
expect "a misspelt key is said with its line and the right name" within 5 said
is "and everything is as before" 200 $cert -H "$reader" -H 'x-scope-orgid: a' -H "$json" -d '{}' "$(names)"

# Limits of one tenant, seen without a signal.
echo 'overrides: {b: {max_query_length: 7m}}' >"$work/runtime.yaml"
limited() {
	code $cert -H "$root" -H 'x-scope-orgid: b' "https://$address/api/v1/tenant_limits" >/dev/null
	grep -q 'max_query_length: 7m0s' "$work/body"
}
expect "the runtime file is read within its period" within 10 limited
echo 'overrides: {b: {max_query_length: 7m}, a: {ingestion_rate_mb: 0.000001}}' >"$work/runtime.yaml"
too_fast() { [ "$(push $cert -D "$work/headers")" = 429 ]; }
expect "what a tenant sends faster than it may is refused" within 10 too_fast
grep -qi '^retry-after: [1-9]' "$work/headers" && ok "with the time to wait" || not_ok "with the time to wait: $(cat "$work/headers")"
echo 'overrides: {b: {max_query_length: 7x}}' >"$work/runtime.yaml"
kept() { grep -q 'the last good one stays' "$work/server.err"; }
expect "a wrong one is said" within 10 kept
expect "and the last good one stays" limited
grep -qE '0123456789abcdef|correct horse' "$work/server.err" && not_ok "no secret is in the log" || ok "no secret is in the log"
stop "$server"
[ "$status" -eq 0 ] && ok "the server ends cleanly" || not_ok "the server ends cleanly (exit status $status)"
