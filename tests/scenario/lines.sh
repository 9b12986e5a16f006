# Inlined functions are frames of the graph, and damaged debug information costs lines and nothing else.
. "$(dirname "$0")/lib.sh"

cat >"$work/inlined.c" <<'END'
#include <time.h>
static volatile unsigned sink;
static inline __attribute__((always_inline)) void innermost(unsigned n) { for (unsigned i = 0; i < n; i++) sink += i * i; }
static inline __attribute__((always_inline)) void middle(unsigned n) { innermost(n); }
__attribute__((noinline)) void outer(unsigned n) { middle(n); sink++; }
int main(void) { for (time_t end = time(0) + 60; time(0) < end;) outer(100000); }
END
cat >"$work/inlined.go" <<'END'
package main
import "time"
var sink uint64
// Each multiplication waits for the one before: the time is spent here, on whatever processor.
func innermost(n uint64) uint64 { n = n*n + 1; n = n*n + 3; n = n*n + 5; n = n*n + 7; return n*n + sink }
//go:noinline
func outer(n uint64) { for i := uint64(0); i < n; i++ { sink += innermost(i) } }
func main() { for end := time.Now().Add(60 * time.Second); time.Now().Before(end); { outer(100000) } }
END
gcc -O2 -g -o "$work/whole" "$work/inlined.c" || exit 1
gcc -O2 -g -gz -o "$work/packed" "$work/inlined.c" || exit 1
# The abbreviations are what all else is read by.
objcopy --dump-section .debug_abbrev="$work/abbrev" "$work/whole" "$work/damaged" || exit 1
tr '\001-\177' '\177' <"$work/abbrev" >"$work/noise"
objcopy --update-section .debug_abbrev="$work/noise" "$work/damaged" || exit 1

start up "$CRESSET" up --listen=127.0.0.1:0 --data-dir="$work/data"
up=$last
expect "cresset up prints its URL within 10 s" within 10 has_url up
url=$(url_of up)
shows() { # shows SERVICE PATTERN
	"$CRESSET" query --server="$url" --from=-5m --format=folded --selector="{service_name=\"$1\"}" 2>/dev/null | grep -q "$2"
}

for program in whole packed damaged; do start $program "$work/$program"; done
expect "functions inlined by gcc are frames" within 40 shows whole 'main;outer;middle;innermost'
expect "those of a program with packed debug information, too" within 40 shows packed 'main;outer;middle;innermost'
expect "a program with damaged debug information has its names" within 40 shows damaged 'main;outer'
if command -v go >/dev/null && (cd "$work" && HOME=$work GOFLAGS= GO111MODULE=off go build -ldflags='-s -w' -o gopher inlined.go); then
	start gopher "$work/gopher"
	expect "functions inlined by Go are frames, of a stripped program" within 40 shows gopher 'main.main;main.outer;main.innermost'
else skip "no go here"; fi
stop "$up"
[ "$status" -eq 0 ] && ok "SIGTERM ends it cleanly" || not_ok "SIGTERM ends it cleanly (exit status $status)"
