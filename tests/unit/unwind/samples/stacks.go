// Goroutines at known depths that allocate, so that the runtime works on its own stacks too. Runs until
// it is killed.
package main

var sink []byte

//go:noinline
func leaf() {
	for i := 0; i < 100; i++ {
		sink = make([]byte, 64+i)
	}
}

//go:noinline
func deep(n int) int {
	if n == 0 {
		leaf()
		return 1
	}
	return deep(n-1) + 1
}

func shallow() {
	for {
		deep(10)
	}
}

func main() {
	go shallow()
	for {
		deep(1000)
	}
}
