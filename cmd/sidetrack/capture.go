package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
)

// capture is the command that writes what passes of a call from now on, media
// included. Interrupted, it leaves what has come until then, which is readable.
func capture(args []string, std stdio) error {
	fs, c := clientFlags("capture", std)
	var req struct {
		Limit string `json:"limit,omitempty"`
		Bytes int64  `json:"bytes,omitempty"`
	}
	file := fs.String("pcap", "", "write to `FILE`; - is standard output; CALL.pcap when not given")
	fs.StringVar(&req.Limit, "limit", "30s", "`DURATION` after which it ends, up to 10m; earlier when the call is over")
	fs.Int64Var(&req.Bytes, "bytes", 16<<20, "`NUMBER` of bytes after which it ends, 65536 to 268435456")
	rest, err := parse(fs, args, std)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("which call? 'sidetrack calls' lists their ids")
	}
	if *file == "-" && isTerminal(std.out) {
		return errors.New("a capture is not for terminals: --pcap FILE, or pipe it")
	}
	resp, err := c.open(context.Background(), 0, "POST", "calls/"+url.PathEscape(rest[0])+"/pcap", req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if *file == "-" {
		_, err = io.Copy(std.out, resp.Body)
		return captured(err)
	}
	if *file == "" {
		*file = rest[0] + ".pcap"
	}
	f, err := os.OpenFile(*file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // somebody may be heard in it
	if err != nil {
		return err
	}
	fmt.Fprintf(std.err, "capturing to %s for %s, or until the call is over\n", *file, req.Limit)
	n, err := io.Copy(f, resp.Body)
	err = errors.Join(captured(err), f.Close())
	fmt.Fprintf(std.err, "%d bytes in %s\n", n, *file)
	return err
}

// captured says what an answer that breaks off means.
func captured(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the capture has broken off: %w", cause(err))
}
