//go:build linux && (amd64 || arm64)

package main

import (
	"net"
	"os"
)

// netpoller is a goroutine per socket on Go's netpoller.
func netpoller(flows []flow) error {
	conns := map[int]*net.UDPConn{}
	for _, f := range flows {
		for _, fd := range []int{f.in, f.tap} {
			file := os.NewFile(uintptr(fd), "")
			c, err := net.FilePacketConn(file)
			if err != nil {
				return err
			}
			file.Close()
			conns[fd] = c.(*net.UDPConn)
		}
	}
	done := make(chan error)
	for i := range flows {
		f := &flows[i]
		go func() {
			b := make([]byte, 2048)
			in, out, tap := conns[f.in], conns[f.out], conns[f.tap]
			for {
				n, _, err := in.ReadFromUDPAddrPort(b)
				if err != nil {
					done <- err
				}
				_, _ = out.WriteToUDPAddrPort(b[:n], f.toAddr)
				number(b)
				_, _ = tap.WriteToUDPAddrPort(b[:n], f.copyToAddr)
			}
		}()
	}
	ready()
	return <-done
}
