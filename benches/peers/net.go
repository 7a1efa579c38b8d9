// A server on a free port, which it prints: "echo" answers what it is sent, and "http" each request with the same page.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
)

func serve(protocol string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if protocol == "http" {
		panic(http.Serve(listener, http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
			io.WriteString(answer, "hello, world\n")
		})))
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go echo(connection)
	}
}

func echo(connection net.Conn) {
	defer connection.Close()
	room := make([]byte, 4096)
	for {
		size, err := connection.Read(room)
		if err != nil {
			return
		}
		if _, err := connection.Write(room[:size]); err != nil {
			return
		}
	}
}
