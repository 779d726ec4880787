// What the Go runtime asks of a kernel: threads, timers, pollers, processes, signals.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func main() {
	var wait sync.WaitGroup
	sums := make([]int, 100)
	for i := range sums {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			for j := 0; j < 10000; j++ {
				sums[i] += j % (i + 1)
			}
		}(i)
	}
	wait.Wait()
	total := 0
	for _, s := range sums {
		total += s
	}
	fmt.Println("sum", total)

	at := fmt.Sprintf("go%d.sock", os.Getpid())
	listener, err := net.Listen("unix", at)
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	echoed := 0
	for i := 0; i < 50; i++ {
		c, err := net.Dial("unix", at)
		if err != nil {
			panic(err)
		}
		c.Write([]byte("hello"))
		c.(*net.UnixConn).CloseWrite()
		b, _ := io.ReadAll(c)
		echoed += len(b)
		c.Close()
	}
	listener.Close()
	fmt.Println("echoed", echoed)

	out, err := exec.Command("sh", "-c", "echo child; exit 3").Output()
	fmt.Print(string(out), err, "\n")

	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-caught)

	select {
	case <-time.After(50 * time.Millisecond):
		fmt.Println("after")
	}
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var p *int
		*p = 1
	}()
	busy := make(chan bool)
	go func() { // never calls anything: the runtime preempts it by a signal
		for i := 0; ; i++ {
		}
	}()
	go func() { time.Sleep(20 * time.Millisecond); busy <- true }()
	<-busy
	keep := [][]byte{}
	for i := 0; i < 200; i++ {
		keep = append(keep, make([]byte, 100000))
		if len(keep) > 10 {
			keep = keep[5:]
		}
	}
	runtime.GC()
	os.WriteFile("file", keep[0], 0o600)
	info, _ := os.Stat("file")
	fmt.Println(info.Size(), "end")
}
