// Writes go-cpu.pprof and go-heap.pprof, the profiles of a real program that tests read. Built with
// Debian's golang-go: go build -trimpath demo.go
package main

import (
	"context"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

var sink [][]byte

//go:noinline
func spin(until time.Time) (n int) {
	for time.Now().Before(until) {
		for i := 0; i < 1000; i++ {
			n += i
		}
	}
	return n
}

//go:noinline
func allocate() {
	for i := 0; i < 64; i++ {
		sink = append(sink, make([]byte, 64<<10))
	}
}

func main() {
	runtime.MemProfileRate = 1 << 14
	f, _ := os.Create("go-cpu.pprof")
	pprof.StartCPUProfile(f)
	pprof.Do(context.Background(), pprof.Labels("handler", "checkout"), func(context.Context) {
		spin(time.Now().Add(300 * time.Millisecond))
	})
	spin(time.Now().Add(200 * time.Millisecond))
	pprof.StopCPUProfile()
	f.Close()
	allocate()
	runtime.GC()
	h, _ := os.Create("go-heap.pprof")
	pprof.WriteHeapProfile(h)
	h.Close()
}
