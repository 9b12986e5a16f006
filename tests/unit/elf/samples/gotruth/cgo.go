//go:build cgo

package main

// static int twice(int x) { return 2 * x; }
import "C"

func init() {
	_ = C.twice(2)
}
