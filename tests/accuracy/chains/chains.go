// Go: recursion, closures, interfaces, generics, goroutines, deferred calls. The same lines on stdout as
// chains.h says. Goroutines are locked to their threads while a window lasts, and the sampler's windows
// are of threads.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

const (
	clockMonotonic = 1
	clockProcess   = 2
)

var (
	sink    uint64
	windows []string
	lock    sync.Mutex
	limit   uint64
)

func now(clock uintptr) uint64 {
	var t syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0)
	return uint64(t.Sec)*1000000000 + uint64(t.Nsec)
}

func goesOn() bool { return now(clockProcess) < limit }

//go:noinline
func burn() uint64 {
	x := uint64(len(os.Args))
	for i := 0; i < 5000000; i++ {
		x = x*6364136223846793005 + x>>17
	}
	return x
}

//go:noinline
func burnAs(id string) {
	runtime.LockOSThread()
	begin := now(clockMonotonic)
	x := burn()
	end := now(clockMonotonic)
	line := fmt.Sprintf("window %d %d %s %d %d", os.Getpid(), syscall.Gettid(), id, begin, end)
	runtime.UnlockOSThread()
	lock.Lock()
	sink += x
	windows = append(windows, line)
	lock.Unlock()
}

//go:noinline
func recurse(depth int) int {
	if depth > 1 {
		return recurse(depth-1) + 1
	}
	burnAs("plain")
	return 1
}

//go:noinline
func plain() { recurse(20) }

//go:noinline
func recurseDeep(depth int) int {
	var buffer [40]byte
	buffer[depth%40] = 1
	if depth > 1 {
		return recurseDeep(depth-1) + int(buffer[depth%40])
	}
	burnAs("deep")
	return 1
}

//go:noinline
func deep() {
	getKnown.Do(func() {
		for i := 0; i < 40; i++ {
			sink += burn()
		}
		limit += now(clockProcess)
	})
	recurseDeep(900)
}

// While a process is new to the profiler, its stacks come from a copy, and this one is larger.
var getKnown sync.Once

type shape interface{ draw(n int) }

type circle struct{ n int }

//go:noinline
func (c *circle) draw(n int) {
	burnAs("method")
	c.n += n
}

type list []int

func (l list) Len() int      { return len(l) }
func (l list) Swap(i, j int) { l[i], l[j] = l[j], l[i] }

//go:noinline
func (l list) Less(i, j int) bool {
	burnAs("sort")
	return l[i] < l[j]
}

//go:noinline
func generic[T any](value T, work func(T)) {
	work(value)
	sink++
}

// Inlined into its caller, which Go's own tables tell.
func inlined() {
	burnAs("inline")
}

//go:noinline
func calls(s shape) {
	s.draw(1)
	inlined()
	sort.Sort(list{3, 1, 2})
	generic(3, func(n int) {
		burnAs("closure")
		sink += uint64(n)
	})
	func() {
		defer burnAs("defer")
		sink++
	}()
}

//go:noinline
func routine(done *sync.WaitGroup) {
	burnAs("goroutine")
	done.Done()
}

func routines() {
	var done sync.WaitGroup
	done.Add(8)
	for i := 0; i < 8; i++ {
		go routine(&done)
	}
	done.Wait()
}

// The scheduler interrupts whoever runs for long by a signal, and works on a stack of its own then.
func expect(id, frames string) {
	fmt.Printf("chain %s;main.burn;main.burnAs;%s\n", id, frames)
	fmt.Printf("chain %s;*;runtime.sigtramp;?;main.burn;main.burnAs;%s\n", id, frames)
	fmt.Printf("chain %s;*;runtime.asyncPreempt;main.burn;main.burnAs;%s\n", id, frames)
	fmt.Printf("chain %s;*;runtime.mcall\n", id)
}

func main() {
	const root = ";main.main;runtime.main;runtime.goexit"
	if len(os.Args) < 3 {
		os.Exit(2)
	}
	seconds, _ := strconv.ParseFloat(os.Args[2], 64)
	limit = uint64(seconds * 1e9)
	expect("plain", "main.recurse*20;main.plain"+root)
	expect("deep", "main.recurseDeep*900;main.deep"+root)
	expect("method", "main.(*circle).draw;main.calls;*"+root)
	expect("inline", "main.inlined;main.calls;*"+root)
	expect("sort", "main.list.Less;*;main.calls;*"+root)
	expect("closure", "main.calls.func1;main.generic[...];main.calls;*"+root)
	expect("defer", "*;main.calls;*"+root)
	expect("goroutine", "main.routine;*;runtime.goexit")
	work := map[string]func(){
		"plain": plain, "deep": deep, "routines": routines,
		"calls": func() { calls(&circle{}) },
	}[os.Args[1]]
	for goesOn() {
		work()
	}
	for _, line := range windows {
		fmt.Println(line)
	}
}
