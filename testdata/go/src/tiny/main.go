// Command tiny counts, and ends without writing that.
package main

func step() {}

func main() {
	step()
	step()
	panic("over")
}
