// A program with flags and goroutines.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

var number = flag.Int("n", 1, "a number")

func main() {
	flag.Parse()
	if flag.Arg(0) == "goexit" {
		go func() {
			time.Sleep(20 * time.Millisecond)
			os.Exit(*number)
		}()
		runtime.Goexit()
	}
	fmt.Printf("%d %q\n", *number, flag.Args())
}
