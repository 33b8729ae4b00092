package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
)

// Ladder is the SIP messages of a call.
type Ladder interface {
	JSON() any              // with every message whole
	Draw(w io.Writer) error // for people
	PCAP(w io.Writer) error // for Wireshark
}

// ladder is GET /api/v1/calls/{id}/ladder and /pcap.
func (b Backend) ladder(pcap bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		redact, err := strconv.ParseBool(or(q.Get("redact"), "false"))
		if err != nil {
			problem(w, http.StatusBadRequest, "redact is true or false")
			return
		}
		format := or(q.Get("format"), "json")
		if pcap {
			format = "pcap"
		} else if format != "json" && format != "text" {
			problem(w, http.StatusBadRequest, "format is json or text")
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
		defer cancel()
		l, err := b.Ladder(ctx, r.PathValue("id"), redact)
		if err != nil {
			fail(w, err)
			return
		}
		if format == "json" {
			write(w, http.StatusOK, l.JSON())
			return
		}
		kind, draw := "text/plain; charset=utf-8", l.Draw
		if pcap {
			kind, draw = "application/vnd.tcpdump.pcap", l.PCAP
			w.Header().Set("Content-Disposition", `attachment; filename="call.pcap"`)
		}
		var body bytes.Buffer
		if err := draw(&body); err != nil {
			fail(w, err)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-store")
		w.Write(body.Bytes())
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
