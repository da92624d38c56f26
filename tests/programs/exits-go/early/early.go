// Package early is initialised before package main.
package early

import "os"

func init() {
	if len(os.Args) > 1 && os.Args[1] == "init-of-a-package" {
		step()
		os.Exit(6)
	}
}

func step() {}
