# The façade: what README tells people to type.
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/../.."
expect "make build leaves a program" make build BUILD="$work/build"
version() { "$work/build/cresset" --version | grep -qE '^cresset [0-9]'; }
expect "which runs" version
expect "make install puts it in place" make install BUILD="$work/build" DESTDIR="$work/dest" PREFIX=/usr
expect "and it runs from there" "$work/dest/usr/bin/cresset" --help
expect "make says what there is" sh -c "make | grep -q 'make run'"
second() { local began=$SECONDS; make build BUILD="$work/build" && [ $((SECONDS - began)) -lt 10 ]; }
expect "a second build is quick" second
