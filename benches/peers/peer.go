// The works of these benchmarks, for Go. It reads lines "NAME N", and answers each with the nanoseconds of N units of the
// work. With the argument "live" or "lazy" it runs a million goroutines twice. It prints the nanoseconds of the first million,
// the peak of memory in KiB, and the nanoseconds of the second million. With the argument "cores" it does what cores.go says, and with
// "net" it serves connections, as net.go says.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// With one thread for goroutines it reads the CPU time of the OS process, so that other programs on the machine do not count.
func now() int64 {
	if wall || runtime.GOMAXPROCS(0) > 1 {
		return time.Now().UnixNano()
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// True if one thread and many are compared, so the time of day counts for both.
var wall bool

func timed(before, n int, step func()) int64 {
	for i := 0; i < before; i++ {
		step()
	}
	start := now()
	for i := 0; i < n; i++ {
		step()
	}
	return now() - start
}

// A goroutine that never ends by itself is told to end by `done`, and then awaited.
type network struct {
	done chan struct{}
	all  sync.WaitGroup
}

func (net *network) start(body func()) {
	net.all.Add(1)
	go func() {
		defer net.all.Done()
		body()
	}()
}

func commstime(n int) (took int64) {
	a, b, c, d := make(chan uint64), make(chan uint64), make(chan uint64), make(chan uint64)
	var net network
	net.start(func() {
		defer close(b)
		b <- 0
		for value := range a {
			b <- value
		}
	})
	net.start(func() {
		defer close(c)
		defer close(d)
		for value := range b {
			c <- value
			d <- value
		}
	})
	last := uint64(n + 20)
	net.start(func() {
		defer close(a)
		for value := range c {
			if value > last {
				return
			}
			a <- value + 1
		}
	})
	took = timed(20, n, func() { <-d })
	for range d {
	}
	net.all.Wait()
	return took
}

func ring(n int) (took int64) {
	const processes = 1000
	channels := make([]chan uint64, processes)
	for i := range channels {
		channels[i] = make(chan uint64)
	}
	var net network
	for i := 0; i+1 < processes; i++ {
		in, out := channels[i], channels[i+1]
		net.start(func() {
			defer close(out)
			for value := range in {
				out <- value + 1
			}
		})
	}
	took = timed(2, n, func() {
		channels[0] <- 0
		<-channels[processes-1]
	})
	close(channels[0])
	net.all.Wait()
	return took
}

func forever(net *network, out chan uint64) {
	net.start(func() {
		for {
			select {
			case out <- 1:
			case <-net.done:
				return
			}
		}
	})
}

func choose(n int) (took int64) {
	var in [10]chan uint64
	net := network{done: make(chan struct{})}
	for i := range in {
		in[i] = make(chan uint64)
		for j := 0; j < 10; j++ {
			forever(&net, in[i])
		}
	}
	took = timed(200, n, func() {
		select {
		case <-in[0]:
		case <-in[1]:
		case <-in[2]:
		case <-in[3]:
		case <-in[4]:
		case <-in[5]:
		case <-in[6]:
		case <-in[7]:
		case <-in[8]:
		case <-in[9]:
		}
	})
	close(net.done)
	net.all.Wait()
	return took
}

// Sends a fixed number of values from a fixed number of writers, so only the channel is measured.
func values(room, writers, n int) int64 {
	const before = 200
	out := make(chan uint64, room)
	each := (n + before + writers - 1) / writers
	var net network
	for i := 0; i < writers; i++ {
		net.start(func() {
			for j := 0; j < each; j++ {
				out <- 1
			}
		})
	}
	took := timed(before, n, func() { <-out })
	for i := n + before; i < each*writers; i++ {
		<-out
	}
	net.all.Wait()
	return took
}

func one(n int) int64 {
	return timed(20, n, func() {
		done := make(chan struct{})
		go func() { close(done) }()
		<-done
	})
}

func never(n int) int64 {
	return timed(1, n, func() {
		var all sync.WaitGroup
		all.Add(1000)
		for i := 0; i < 1000; i++ {
			go all.Done()
		}
		all.Wait()
	})
}

func live(processes int) {
	in, complete := make(chan uint64), make(chan struct{})
	var here int64
	var net network
	for i := 0; i < processes; i++ {
		net.start(func() {
			if atomic.AddInt64(&here, 1) == int64(processes) {
				close(complete)
			}
			<-in
		})
	}
	<-complete
	for i := 0; i < processes; i++ {
		in <- uint64(i)
	}
	net.all.Wait()
}

func lazy(processes int) {
	in := make(chan uint64)
	var net network
	for i := 0; i < processes; i++ {
		net.start(func() { <-in })
	}
	for i := 0; i < processes; i++ {
		in <- uint64(i)
	}
	net.all.Wait()
}

func peak() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "0"
	}
	for _, line := range strings.Split(string(status), "\n") {
		if strings.HasPrefix(line, "VmHWM:") {
			return strings.Fields(line)[1]
		}
	}
	return "0"
}

func main() {
	works := map[string]func(int) int64{
		"commstime": commstime,
		"ring":      ring,
		"select":    choose,
		"one":       one,
		"never":     never,
		"live": func(n int) int64 {
			return timed(0, n, func() { live(1000) })
		},
		"rendezvous": func(n int) int64 { return values(0, 1, n) },
		"buffered":   func(n int) int64 { return values(100, 1, n) },
		"fan-in":     func(n int) int64 { return values(0, 10, n) },
	}
	if len(os.Args) > 1 && os.Args[1] == "cores" {
		cores(os.Args[2:])
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "net" {
		serve(os.Args[2])
		return
	}
	if len(os.Args) > 1 {
		many := map[string]func(int){"live": live, "lazy": lazy}[os.Args[1]]
		start := now()
		many(1000000)
		first, most := now()-start, peak()
		start = now()
		many(1000000)
		fmt.Println(first, most, now()-start)
		return
	}
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		order := strings.Fields(orders.Text())
		n, err := strconv.Atoi(order[1])
		if err != nil {
			panic(err)
		}
		fmt.Println(works[order[0]](n))
	}
}
