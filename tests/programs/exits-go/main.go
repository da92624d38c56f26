// Ends in every way that a program of Go can: its argument says how. However that is, it has called
// step once, or as often as the table of the tests says.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/coverage"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	_ "example.com/exits/early"
)

var variable = variableOfMain()

func variableOfMain() int {
	if is("variable-of-main") {
		step()
		os.Exit(7)
	}
	return 0
}

func init() {
	if is("init-of-main") {
		step()
		os.Exit(8)
	}
}

func is(what string) bool {
	return len(os.Args) > 1 && os.Args[1] == what
}

func step() {}

func elsewhere(f func()) {
	go f()
	select {}
}

func main() {
	log.SetOutput(io.Discard)
	if len(os.Args) < 2 {
		return
	}
	step()
	switch os.Args[1] {
	case "return":
	case "exit-0":
		os.Exit(0)
	case "exit-3":
		os.Exit(3)
	case "log-fatal":
		log.Fatal("over")
	case "flag-error":
		flags := flag.NewFlagSet("exits", flag.ExitOnError)
		flags.SetOutput(io.Discard)
		flags.Parse([]string{"-unknown"})
	case "exit-in-goroutine":
		elsewhere(func() { os.Exit(4) })
	case "exit-in-defer":
		defer func() {
			recover()
			os.Exit(5)
		}()
		panic("over")
	case "panic":
		panic("over")
	case "log-panic":
		log.Panic("over")
	case "nil":
		var nothing *int
		*nothing = 1
	case "recovered":
		func() {
			defer func() { recover() }()
			panic("not over")
		}()
	case "panic-in-goroutine":
		elsewhere(func() { panic("over") })
	case "goexit":
		runtime.Goexit()
	case "goexit-exit":
		go func() {
			time.Sleep(10 * time.Millisecond)
			os.Exit(4)
		}()
		runtime.Goexit()
	case "deadlock":
		select {}
	case "map-race":
		mapRace()
	case "stack-overflow":
		debug.SetMaxStack(1 << 20)
		deeper(1)
	case "out-of-memory":
		syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: 1 << 28, Max: 1 << 28})
		grow()
	case "raw-exit":
		syscall.Exit(9)
	case "signal":
		number, _ := strconv.Atoi(os.Args[2])
		syscall.Kill(os.Getpid(), syscall.Signal(number))
		select {}
	case "wait":
		fmt.Println("ready")
		time.Sleep(time.Minute)
	case "caught":
		caught := make(chan os.Signal, 1)
		signal.Notify(caught, syscall.SIGTERM)
		fmt.Println("ready")
		<-caught
	case "closed-pipe":
		reader, writer, _ := os.Pipe()
		reader.Close()
		syscall.Dup3(int(writer.Fd()), 1, 0)
		fmt.Println("nobody reads this")
	case "exec":
		syscall.Exec("/bin/true", []string{"true"}, os.Environ())
	case "exec-itself":
		syscall.Exec("/proc/self/exe", []string{os.Args[0], os.Args[2]}, os.Environ())
	case "exec-fails":
		syscall.Exec("/nowhere", []string{"nowhere"}, os.Environ())
		syscall.Exit(9)
	case "child":
		child := exec.Command("/proc/self/exe", os.Args[2])
		child.Run()
	case "orphan":
		exec.Command("/proc/self/exe", os.Args[2]).Start()
		time.Sleep(100 * time.Millisecond)
	case "child-clean":
		child := exec.Command("/proc/self/exe", os.Args[2])
		child.Env = []string{}
		child.Run()
	case "fork":
		child, _, _ := syscall.RawSyscall(syscall.SYS_FORK, 0, 0, 0)
		if child == 0 {
			step()
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
		}
		syscall.Wait4(int(child), nil, 0, nil)
	case "folder-gone":
		os.RemoveAll(os.Getenv("GOCOVERDIR"))
		panic("over")
	case "written":
		// In other modes it cannot be.
		coverage.WriteCountersDir(os.Getenv("GOCOVERDIR"))
		last()
	case "cleared":
		coverage.WriteCountersDir(os.Getenv("GOCOVERDIR"))
		coverage.ClearCounters()
		last()
	case "storm":
		storm()
	}
}

func last() {
	step()
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func mapRace() {
	shared := map[int]int{}
	for range [4]int{} {
		go func() {
			for {
				shared[1]++
			}
		}()
	}
	select {}
}

func deeper(depth int) int {
	var frame [1 << 16]byte
	frame[depth%len(frame)] = 1
	return deeper(depth+1) + int(frame[0])
}

func grow() {
	var all [][]byte
	for {
		all = append(all, make([]byte, 1<<26))
		for at := range all[len(all)-1] {
			all[len(all)-1][at] = 1
		}
	}
}
