package main

import (
	"net"
	"os"
	"time"
)

// notifyTime bounds what a service manager may cost.
const notifyTime = time.Second

// notify tells the service manager how the process is, where one wants to know (sd_notify(3)):
// READY=1 or STOPPING=1. Nothing depends on whether it is heard.
func notify(state string) {
	name := os.Getenv("NOTIFY_SOCKET") // with @ for an abstract one, as net writes it
	if name == "" {
		return
	}
	c, err := net.Dial("unixgram", name)
	if err != nil {
		return
	}
	defer c.Close()
	if c.SetWriteDeadline(time.Now().Add(notifyTime)) == nil {
		_, _ = c.Write([]byte(state))
	}
}
