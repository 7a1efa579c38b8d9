// One measurement of the table of cores, for Go: the words of the work, its numbers, and how long to repeat it in nanoseconds.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Marsaglia's xorshift: each step needs the one before.
//
//go:noinline
func spin(steps int) uint64 {
	x := uint64(88172645463325252)
	for i := 0; i < steps; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

func sizeOf(number, steps, skewed int) int {
	if skewed == 1 && number%16 == 0 {
		return 16 * steps
	}
	return steps
}

func assert(holds bool) {
	if !holds {
		panic("a value was lost")
	}
}

func farm(workers, steps, skewed, n int) {
	jobs, results := make(chan int), make(chan uint64)
	go func() {
		for number := 0; number < n; number++ {
			jobs <- number
		}
		close(jobs)
	}()
	var all sync.WaitGroup
	all.Add(workers)
	for i := 0; i < workers; i++ {
		go func() {
			for number := range jobs {
				results <- spin(sizeOf(number, steps, skewed))
			}
			all.Done()
		}()
	}
	go func() {
		all.Wait()
		close(results)
	}()
	collected := 0
	for range results {
		collected++
	}
	assert(collected == n)
}

// Sends what the source has through eight stages.
func pipeline(steps int, source func(chan uint64)) (collected int) {
	first := make(chan uint64)
	in := first
	for i := 0; i < 8; i++ {
		out := make(chan uint64)
		go func(in, out chan uint64) {
			for value := range in {
				if steps == 0 {
					value++
				} else {
					value += spin(steps)
				}
				out <- value
			}
			close(out)
		}(in, out)
		in = out
	}
	go func() {
		source(first)
		close(first)
	}()
	for range in {
		collected++
	}
	return collected
}

func pipelines(many, steps, n int) {
	var all sync.WaitGroup
	all.Add(many)
	for i := 0; i < many; i++ {
		go func() {
			collected := pipeline(steps, func(out chan uint64) {
				for number := 0; number < n; number++ {
					out <- uint64(number)
				}
			})
			assert(collected == n)
			all.Done()
		}()
	}
	all.Wait()
}

func jobs(many, steps, skewed, n int) {
	results := make([]uint64, many)
	for i := 0; i < n; i++ {
		var all sync.WaitGroup
		all.Add(many)
		for number := 0; number < many; number++ {
			go func(number int) {
				results[number] = spin(sizeOf(number, steps, skewed))
				all.Done()
			}(number)
		}
		all.Wait()
	}
}

func nothing(many, n int) {
	for i := 0; i < n; i++ {
		var all sync.WaitGroup
		all.Add(many)
		for number := 0; number < many; number++ {
			go all.Done()
		}
		all.Wait()
	}
}

func usage() (cpu, wakeups int64) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano(), usage.Nvcsw
}

// Prints the CPU time and the wake-ups while nothing can go on.
func quiet(blocked bool, steps int, while time.Duration) {
	jobs(64, steps, 0, 20)
	if blocked {
		reads := make(chan bool)
		go pipeline(steps, func(chan uint64) {
			close(reads)
			_, _ = bufio.NewReader(os.Stdin).ReadByte()
		})
		<-reads
	}
	cpu, wakeups := usage()
	time.Sleep(while)
	cpuAfter, wakeupsAfter := usage()
	fmt.Println(cpuAfter-cpu, wakeupsAfter-wakeups)
}

func cores(words []string) {
	wall = true
	numbers := make([]int, len(words))
	for i, word := range words[1:] {
		number, err := strconv.Atoi(word)
		if err != nil {
			panic(err)
		}
		numbers[i] = number
	}
	n, units, goal := numbers[0], numbers[1], int64(numbers[2])
	numbers = numbers[3:]
	whole := func(run func()) func() int64 {
		return func() int64 { return timed(0, 1, run) }
	}
	works := map[string]func() int64{
		"commstime": func() int64 { return commstime(n) },
		"ring":      func() int64 { return ring(n) },
		"fan-in":    func() int64 { return values(0, 10, n) },
		"select":    func() int64 { return choose(n) },
		"nothing":   whole(func() { nothing(numbers[0], n) }),
		"pipelines": whole(func() { pipelines(numbers[0], numbers[1], n) }),
		"farm":      whole(func() { farm(numbers[0], numbers[1], numbers[2], n) }),
		"jobs":      whole(func() { jobs(numbers[0], numbers[1], numbers[2], n) }),
	}
	switch words[0] {
	case "idle", "blocked":
		quiet(words[0] == "blocked", numbers[0], time.Duration(goal))
		return
	}
	run := works[words[0]]
	run()
	var took, done int64
	for took < goal {
		took += run()
		done += int64(units)
	}
	fmt.Println(float64(took) / float64(done))
}
