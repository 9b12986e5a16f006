#!/bin/bash
# bench/record.sh [FILE [SECONDS]]: runs a mixed load on this host, profiles it with `cresset agent` and keeps
# what the agent sends in FILE (default bench/data/mixed.otlp.xz), for bench-store mode=replay. Needs root.
set -eu
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-bench/data/mixed.otlp.xz}")
seconds=${2:-60}
build=${BUILD:-$PWD/build-bench}
[ "$(id -u)" = 0 ] || { echo "the agent needs root" >&2; exit 1; }
work=$(mktemp -d)
loads=() receiver='' agent=''
# Each load is a process group of its own, so that its children go with it.
trap 'for pid in "${loads[@]}"; do kill -- "-$pid" 2>/dev/null || :; done
	[ -z "$agent$receiver" ] || kill $agent $receiver 2>/dev/null || :
	wait 2>/dev/null || :; rm -rf "$work"' EXIT

cat >"$work/load.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct pair { char key[16]; unsigned value; };
static int compare(const void *a, const void *b) { return strcmp(((const struct pair *)a)->key, ((const struct pair *)b)->key); }
static unsigned hash(const char *s) { unsigned h = 5381; while (*s) h = h * 33 + (unsigned char)*s++; return h; }
static void fill(struct pair *p, unsigned n) { for (unsigned i = 0; i < n; i++) { snprintf(p[i].key, 16, "%08x", hash("x") * (i + 1)); p[i].value = i; } }
static unsigned look(struct pair *p, unsigned n) { unsigned sum = 0; struct pair want; for (unsigned i = 0; i < n; i++) { snprintf(want.key, 16, "%08x", i * 2654435761u); struct pair *got = bsearch(&want, p, n, sizeof want, compare); sum += got ? got->value : 1; } return sum; }
int main(void) { struct pair *p = malloc(200000 * sizeof *p); unsigned sum = 0; for (;;) { fill(p, 200000); qsort(p, 200000, sizeof *p, compare); sum += look(p, 200000); if (sum == 42) puts("42"); } }
C
cat >"$work/load.py" <<'P'
import hashlib, json, random, re
def make(n): return [{"id": i, "name": "user%d" % i, "tags": [random.choice("abcdef") for _ in range(8)]} for i in range(n)]
def count(rows):
    seen = {}
    for row in rows:
        for tag in row["tags"]: seen[tag] = seen.get(tag, 0) + len(row["name"])
    return seen
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
while True:
    text = json.dumps(make(2000)); rows = json.loads(text); count(rows)
    re.findall(r"user(\d+)", text); hashlib.sha256(text.encode()).hexdigest(); sorted(rows, key=lambda r: r["name"]); fib(18)
P
cat >"$work/load.js" <<'J'
const zlib = require('zlib'), crypto = require('crypto');
class Tree { constructor() { this.root = null; } add(k) { this.root = add(this.root, k); } }
function add(n, k) { if (!n) return { k, l: null, r: null }; if (k < n.k) n.l = add(n.l, k); else n.r = add(n.r, k); return n; }
function walk(n, f) { if (n) { walk(n.l, f); f(n.k); walk(n.r, f); } }
for (;;) {
  const t = new Tree(); for (let i = 0; i < 20000; i++) t.add(Math.random()); let s = 0; walk(t.root, (k) => { s += k; });
  const o = JSON.parse(JSON.stringify(Array.from({ length: 3000 }, (_, i) => ({ i, name: 'n' + i }))));
  o.sort((a, b) => (a.name < b.name ? -1 : 1)); zlib.gzipSync(JSON.stringify(o)); crypto.createHash('sha256').update(String(s)).digest('hex');
}
J
cat >"$work/load.pl" <<'P'
sub words { my ($n) = @_; my %h; for my $i (1 .. $n) { my $w = sprintf("w%05d", int(rand(5000))); $h{$w}++; } return \%h; }
sub match { my ($h) = @_; my $n = 0; for my $k (sort keys %$h) { $n++ if $k =~ /^w(\d)\d*\1$/; } return $n; }
while (1) { my $h = words(20000); match($h); join(",", map { "$_=$h->{$_}" } sort { $h->{$a} <=> $h->{$b} } keys %$h); }
P
cat >"$work/Load.java" <<'J'
import java.util.*;
public class Load {
  static long sum(Map<String, Integer> m) { long s = 0; for (var e : m.entrySet()) s += e.getKey().hashCode() ^ e.getValue(); return s; }
  static List<String> sort(Map<String, Integer> m) { var l = new ArrayList<>(m.keySet()); Collections.sort(l); return l; }
  public static void main(String[] a) { long t = 0; for (;;) { var m = new HashMap<String, Integer>(); for (int i = 0; i < 50000; i++) m.merge("k" + (i * 7919 % 9973), 1, Integer::sum); t += sum(m) + String.join("", sort(m)).length(); if (t == 42) System.out.println(t); } }
}
J
cat >"$work/big.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
C
for i in $(seq 400); do echo "double f$i(double x, int n) { double s = $i; for (int i = 0; i < n; i++) s += sin(x * i) / (i + $i); return s > 10 ? s * f$((i > 1 ? i - 1 : 1))(x, n / 2) : s; }"; done >>"$work/big.c"

# Says nothing, and does nothing, where the program is not there.
start() {
	command -v "$1" >/dev/null || return 0
	setsid "$@" >/dev/null 2>&1 </dev/null &
	loads+=($!)
}
forever() { start bash -c "while :; do $1; done"; }
gcc -O2 -g -w -o "$work/sorter" "$work/load.c"
"$build/bench/bench-receiver" "$work/requests" >"$work/address" 2>"$work/receiver.err" &
receiver=$!
until [ -s "$work/address" ]; do sleep 0.05; kill -0 $receiver || { cat "$work/receiver.err" >&2; exit 1; }; done
cat >"$work/agent.yaml" <<Y
receivers:
  profiling:
    samples_per_second: 97
exporters:
  otlp_grpc:
    endpoint: $(cat "$work/address")
    tls:
      insecure: true
service:
  pipelines:
    profiles:
      receivers: [profiling]
      exporters: [otlp_grpc]
Y
start "$work/sorter"
start python3 "$work/load.py"
start node "$work/load.js"
start perl "$work/load.pl"
command -v java >/dev/null && command -v javac >/dev/null && javac -d "$work" "$work/Load.java" && start java -Xmx128m -cp "$work" Load
head -c 30000000 "$build/src/cli/cresset" >"$work/bytes"
forever "gcc -O2 -w -c -o '$work/big.o' '$work/big.c'"
command -v gzip >/dev/null && forever "gzip -6 -c '$work/bytes'; xz -1 -c '$work/bytes'"
command -v openssl >/dev/null && forever "openssl speed -seconds 1 sha256 rsa2048"
command -v sqlite3 >/dev/null && forever "sqlite3 :memory: 'create table t(a, b); with recursive c(i) as (select 1 union all select i + 1 from c where i < 100000) insert into t select i, hex(i * 7919 % 10007) from c; create index x on t(b); select count(*), b from t group by b order by 1;'"
sleep 3
"$build/src/cli/cresset" agent --config="$work/agent.yaml" --feature-gates=service.profilesSupport 2>"$work/agent.err" &
agent=$!
sleep "$seconds"
kill $agent && wait $agent || { cat "$work/agent.err" >&2; exit 1; }
agent=''
kill $receiver && wait $receiver || { cat "$work/receiver.err" >&2; exit 1; }
receiver=''
# Where this host keeps its files is nobody's business; a path of the same length leaves the messages whole.
TOP=/$(cut -d/ -f2 <<<"$PWD") perl -pi -e \
	's{(?:\Q$ENV{TOP}\E|\Q$ENV{HOME}\E|/tmp)/[\w.-]+}{substr("/host/" . "x" x 200, 0, length $&)}ge' "$work/requests"
mkdir -p "$(dirname "$out")"
xz -9e -T1 -c "$work/requests" >"$out"
echo "$out: $(cat "$work/receiver.err"), $(stat -c %s "$work/requests") bytes, $(stat -c %s "$out") packed"
