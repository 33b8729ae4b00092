package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const maxRetryAfter = 10 * time.Minute

// post makes requests to one receiver.
type post struct {
	hook   Hook
	agent  string
	client *http.Client
}

func newPost(h Hook, agent string) *post {
	return &post{hook: h, agent: agent, client: &http.Client{
		Timeout: h.Timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: h.TLS, ForceAttemptHTTP2: true,
			MaxIdleConns: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		},
		// A redirection is an answer that is not 2xx: the secret is for one place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// refused is an answer that is not 2xx.
type refused struct {
	status int
	after  time.Duration // that the receiver asks us to wait
}

func (r *refused) Error() string { return fmt.Sprintf("answered %d", r.status) }

// final tells that the receiver will not take this event, however often it comes.
func (r *refused) final() bool {
	switch r.status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// send posts one record; nil when the receiver has taken it.
func (p *post) send(ctx context.Context, rec record) error {
	now := time.Now()
	id := strconv.FormatUint(rec.ID, 10)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.hook.URL, bytes.NewReader(rec.Data))
	if err != nil {
		return err
	}
	req.Header = http.Header{
		"Content-Type":       {"application/json"},
		"User-Agent":         {p.agent},
		"Webhook-Id":         {id},
		"Webhook-Timestamp":  {strconv.FormatInt(now.Unix(), 10)},
		"Webhook-Signature":  {p.hook.Sign(id, now, rec.Data)},
		"Sidetrack-Sequence": {strconv.FormatUint(rec.Seq, 10)},
	}
	resp, err := p.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the URL, which may hold a key
		}
		return err
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return &refused{status: resp.StatusCode, after: retryAfter(resp.Header.Get("Retry-After"))}
}

// retryAfter is how long a receiver asks us to wait (RFC 9110 §10.2.3): seconds,
// or until a date by its clock; maxRetryAfter at most.
func retryAfter(value string) time.Duration {
	var d time.Duration
	if s, err := strconv.Atoi(value); err == nil {
		d = time.Duration(min(max(s, 0), int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = max(time.Until(at), 0)
	}
	return min(d, maxRetryAfter)
}
