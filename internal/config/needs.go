package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
)

// need is something that the host must have for a key of the file to be served.
type need struct {
	at    Problem // but for its text
	test  func() error
	later bool // it may come: calls want it, the start does not
}

// need notes what a value takes from the host. The error of test says what is missing and what to do.
func (c cursor) need(test func() error) {
	c.d.cfg.needs = append(c.d.cfg.needs, need{at: Problem{File: c.d.file, Line: c.n.line, Key: oneLine(c.path)}, test: test})
}

// needMedia notes an address for media, which a host that stands by may not have yet.
func (c cursor) needMedia(a netip.Addr) {
	c.need(func() error { return bindable("udp", netip.AddrPortFrom(a, 0)) })
	c.d.cfg.needs[len(c.d.cfg.needs)-1].later = true
}

// Unmet is what this host has not and serving takes: folders that can be written, addresses of its
// own; and what it must have before there are calls. Nothing is made, and nothing stays bound; a port that is in use may be so by the proxy that runs.
// journal tells why a file cannot be the journal; nil: each can.
func (c *Config) Unmet(journal func(file string) error) (missing, warnings Problems) {
	c.examine = journal
	for _, n := range c.needs {
		err := n.test()
		if err == nil {
			continue
		}
		p := n.at
		p.Text = oneLine(err.Error())
		if n.later {
			p.Text += "; until it has it, calls get 503"
			warnings = append(warnings, p)
		} else {
			missing = append(missing, p)
		}
	}
	missing.sort()
	warnings.sort()
	return missing, warnings
}

// fileToWrite is the test of a file that is made where it is missing, in a folder that is not.
func fileToWrite(name string) error {
	switch info, err := os.Stat(name); {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder; write the name of a file in it", name)
	case err == nil:
		if err := writable(name); err != nil {
			return fmt.Errorf("file %s cannot be written: %w; check its permissions", name, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return fileError(name, err)
	}
	return folderToWrite(filepath.Dir(name))
}

// folderToWrite is the test of a folder in which files are made.
func folderToWrite(name string) error {
	switch info, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s; make it, for the user that serves", name)
	case err != nil:
		return fileError(name, err)
	case !info.IsDir():
		return fmt.Errorf("%s is no folder; write another name", name)
	}
	if err := writable(name); err != nil {
		return fmt.Errorf("folder %s cannot be written: %w; give it to the user that serves", name, err)
	}
	return nil
}

// folderToMake is the test of a folder that is made where it is missing, with those above it.
func folderToMake(name string) error {
	for {
		_, err := os.Stat(name)
		up := filepath.Dir(name)
		if !errors.Is(err, fs.ErrNotExist) || up == name {
			return folderToWrite(name)
		}
		name = up
	}
}

// socketToMake is the test of a unix socket, which takes the place of one before.
func socketToMake(name string) error {
	if info, err := os.Lstat(name); err == nil && info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is there already and no socket; write another name", name)
	}
	return folderToWrite(filepath.Dir(name))
}

// bindable is the test of an address, and of its port where that is not 0.
func bindable(network string, at netip.AddrPort) error {
	var err error
	var bound interface{ Close() error }
	if network == "udp" {
		bound, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	} else {
		bound, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	}
	switch {
	case err == nil:
		return bound.Close()
	case errors.Is(err, syscall.EADDRINUSE):
		return nil
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is no address of this host; write one that 'ip address' shows, or 0.0.0.0 or [::]", at.Addr())
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not take port %d; give the program CAP_NET_BIND_SERVICE, or choose one from 1024 on", at.Port())
	}
	return fmt.Errorf("%s cannot be used: %w; choose another address", at, errors.Unwrap(err))
}
