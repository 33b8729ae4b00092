package api

import (
	"context"
	"io"
	"net/http"
	"time"
)

// CaptureRequest asks for the packets of a call: for how long (a Go duration) and
// how many bytes at most.
type CaptureRequest struct {
	Limit string `json:"limit"`
	Bytes int64  `json:"bytes"`
}

// Bounds of a capture, and what is meant where nothing is said.
const (
	captureTime  = 30 * time.Second
	maxCapture   = 10 * time.Minute
	captureBytes = 16 << 20
	minBytes     = 64 << 10
	maxBytes     = 256 << 20

	stallTime = 20 * time.Second // a reader that takes nothing for so long is given up
)

// CaptureLimits are those of one capture, both set.
type CaptureLimits struct {
	Time  time.Duration
	Bytes int64
}

// Capturing writes a capture until its limits are reached, the call is over or
// ctx ends; its errors are those of w. It is to be called once.
type Capturing func(ctx context.Context, w io.Writer) error

// capture is POST /api/v1/calls/{id}/pcap: what passes on from now, media
// included, while the answer lasts. Somebody may listen to it: it is audited when
// it begins.
func (b Backend) capture(w http.ResponseWriter, r *http.Request) {
	req, status, err := request[CaptureRequest](http.MaxBytesReader(w, r.Body, maxRequestBody))
	if err != nil && err != io.EOF {
		problem(w, status, err.Error())
		return
	}
	limits := CaptureLimits{captureTime, captureBytes}
	if req.Limit != "" {
		if limits.Time, err = time.ParseDuration(req.Limit); err != nil || limits.Time <= 0 || limits.Time > maxCapture {
			problem(w, http.StatusBadRequest, "limit is no duration up to 10m, such as 30s")
			return
		}
	}
	if req.Bytes != 0 {
		if limits.Bytes = req.Bytes; limits.Bytes < minBytes || limits.Bytes > maxBytes {
			problem(w, http.StatusBadRequest, "bytes is no number from 65536 to 268435456")
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
	defer cancel()
	run, err := b.Capture(ctx, r.PathValue("id"), limits)
	if err != nil {
		fail(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/vnd.tcpdump.pcap")
	h.Set("Content-Disposition", `attachment; filename="call.pcap"`)
	h.Set("Cache-Control", "no-store")
	out := trickle{w, http.NewResponseController(w)}
	out.SetReadDeadline(time.Time{})
	w.WriteHeader(http.StatusOK)
	declare(w)
	out.Flush()
	if run(r.Context(), out) != nil {
		panic(http.ErrAbortHandler) // the reader must not take half of it for the whole
	}
}

// trickle writes a long answer as it comes.
type trickle struct {
	http.ResponseWriter
	*http.ResponseController
}

// Write sends b; a reader that has gone, or takes nothing, is an error.
func (t trickle) Write(b []byte) (int, error) {
	t.SetWriteDeadline(time.Now().Add(stallTime))
	n, err := t.ResponseWriter.Write(b)
	if err == nil {
		err = t.Flush()
	}
	return n, err
}
