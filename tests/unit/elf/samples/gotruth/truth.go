// Says what the runtime itself knows of addresses in this program's text, for a test that reads the
// same from the file:
//
//	A <address in the file, hex>
//	F <function>\t<file>\t<line>	innermost first, none for code that is not Go's
//
// The runtime leaves wrappers out.
package main

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	_ "unsafe"
)

// What runtime/pprof asks for the functions inlined at a stack's last address.
//
//go:linkname expandFinalInlineFrame runtime/pprof.runtime_expandFinalInlineFrame
func expandFinalInlineFrame(stk []uintptr) []uintptr

type number interface{ ~int | ~float64 }

func square[T number](x T) T { return x * x }

func sum[T number](list []T, f func(T) T) (total T) {
	for _, x := range list {
		total += f(x) + square(x)
	}
	return total
}

type shape interface{ area() float64 }

type box struct{ a, b float64 }

func (b box) area() float64 { return square(b.a) * b.b }

type pair[K comparable, V any] struct {
	key   K
	value V
}

func (p *pair[K, V]) swap(v V) V {
	old := p.value
	p.value = v
	return old
}

//go:noinline
func deep(n int) int {
	if n == 0 {
		return len(os.Args)
	}
	return deep(n-1) + n
}

// Uses what is to be in the text: generics, closures, method values, deferred calls, the library.
func use(w *bufio.Writer) {
	defer func() { recover() }()
	list := []float64{3, 1, 2}
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	area := shape(box{1, 2}).area
	p := pair[string, int]{"a", 1}
	text, _ := json.Marshal(map[string]any{"n": sum(list, square[float64]), "a": area(), "d": deep(100),
		"i": sum([]int{1}, func(x int) int { return x + p.swap(x) })})
	fmt.Fprintf(w, "# %s\n", text)
	panic("recovered")
}

// The text section, and what the loader added to its addresses.
func text() (start, size, bias uint64) {
	file, err := elf.Open("/proc/self/exe")
	if err != nil {
		panic(err)
	}
	const entry = 9 // AT_ENTRY
	auxv, _ := os.ReadFile("/proc/self/auxv")
	for ; len(auxv) >= 16; auxv = auxv[16:] {
		if binary.LittleEndian.Uint64(auxv) == entry {
			bias = binary.LittleEndian.Uint64(auxv[8:]) - file.Entry
		}
	}
	section := file.Section(".text")
	return section.Addr, section.Size, bias
}

func main() {
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	use(w)
	step, _ := strconv.ParseUint(os.Args[1], 10, 64)
	start, size, bias := text()
	for at := start; at < start+size; at += step {
		pc := uintptr(at + bias)
		here, next := runtime.FuncForPC(pc), runtime.FuncForPC(pc+1)
		if next != nil && next.Entry() == pc+1 {
			continue // CallersFrames would take it for the entry of the next function
		}
		fmt.Fprintf(w, "A %x\n", at)
		if here == nil {
			continue
		}
		frames := runtime.CallersFrames(expandFinalInlineFrame([]uintptr{pc + 1}))
		for more := true; more; {
			var frame runtime.Frame
			frame, more = frames.Next()
			fmt.Fprintf(w, "F %s\t%s\t%d\n", frame.Function, frame.File, frame.Line)
		}
	}
}
