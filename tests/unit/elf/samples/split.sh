#!/bin/sh
# Programs that were stripped, and what was cut off: split.sh GCC SOURCE OUTPUT...
#	sample-split, sample-split.debug	with a build id and .gnu_debuglink
#	sample-nameless, sample-nameless.debug	without a build id
#	sample-packed				with .gnu_debugdata
set -eu
gcc=$1
source=$2
dir=$(dirname "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

split() { # name gcc-flags...
	name=$1
	shift
	$gcc -O1 -g -fno-inline "$@" "$source" -o "$work/$name"
	objcopy --only-keep-debug "$work/$name" "$work/$name.debug"
	(cd "$work" && objcopy --strip-all --add-gnu-debuglink="$name.debug" "$name" "$name.out")
	mv "$work/$name.out" "$dir/$name"
	cp "$work/$name.debug" "$dir/$name.debug"
}

split sample-split -Wl,--build-id
split sample-nameless -Wl,--build-id=none
# GDB manual, "MiniDebugInfo".
objcopy -S --remove-section .comment --keep-symbol=sample_static --keep-symbol=main \
	"$work/sample-split.debug" "$work/mini"
xz -q "$work/mini"
objcopy --strip-all --add-section .gnu_debugdata="$work/mini.xz" "$work/sample-split" \
	"$dir/sample-packed"
