// Command echo-arg is Bincover's example in Go. It ends in three ways, as a real
// program does: it prints its one argument, it fails without arguments, it panics
// with more than one.
package main

import (
	"fmt"
	"os"
)

func main() {
	args := os.Args[1:]
	switch len(args) {
	case 0:
		fmt.Fprintln(os.Stderr, "error: expected one argument, found none")
		os.Exit(1)
	case 1:
		fmt.Println(orNone(args[0]))
	default:
		panic(fmt.Sprintf("expected one argument, found %d", len(args)))
	}
}

func orNone(text string) string {
	if text == "" {
		return "(an empty argument)"
	}
	return text
}
