package main

import "os"

// Goroutines call functions for the first time, all the time, while the program ends.
func storm() {
	for range [8]int{} {
		go func() {
			for at := range first {
				first[at]()
			}
		}()
	}
	os.Exit(0)
}

var first = []func(){
	f00, f01, f02, f03, f04, f05, f06, f07, f08, f09,
}

func f00() {}
func f01() {}
func f02() {}
func f03() {}
func f04() {}
func f05() {}
func f06() {}
func f07() {}
func f08() {}
func f09() {}
