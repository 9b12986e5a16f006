//go:build !cgo

// Lets the Go file beside it declare a function without a body; with cgo that needs no such file.
