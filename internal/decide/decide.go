package decide

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"sidetrack/policy"
	"sidetrack/src"
)

// maxAnswer bounds an answer's body.
const maxAnswer = 64 << 10

// Client asks programs.
type Client struct{ http *http.Client }

// New returns a client that names itself so. Redirections are not followed: the
// question holds who calls whom, and goes nowhere else.
func New(userAgent string) *Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost, t.MaxConnsPerHost = 32, 128
	t.IdleConnTimeout = 90 * time.Second
	return &Client{http: &http.Client{
		Transport:     named{t, userAgent},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// named sets User-Agent.
type named struct {
	*http.Transport
	agent string
}

func (n named) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", n.agent)
	return n.Transport.RoundTrip(req)
}

// question is what goes over the wire.
type question struct {
	Rule       string      `json:"rule"`
	Recorders  []string    `json:"recorders"`
	CallID     string      `json:"call_id"`
	SIPCallID  string      `json:"sip_call_id"`
	From       string      `json:"from"`
	To         string      `json:"to"`
	RequestURI string      `json:"request_uri"`
	Source     string      `json:"source,omitempty"`
	Route      string      `json:"route,omitempty"`
	Started    time.Time   `json:"started"`
	Headers    [][2]string `json:"headers"` // name and value, in order of arrival
}

// answer is what comes back.
type answer struct {
	Record     *bool             `json:"record"`
	Recorders  []string          `json:"recorders"`
	Tracks     policy.Tracks     `json:"tracks"`
	Required   *bool             `json:"required"`
	Group      string            `json:"group"`
	Headers    map[string]string `json:"headers"`
	Parameters map[string]string `json:"parameters"`
}

// Decide asks ask.URL. The error says what was wrong in words without secrets.
func (c *Client) Decide(ctx context.Context, ask *policy.Ask, q src.Question) (src.Answer, error) {
	body, err := json.Marshal(encode(q))
	if err != nil {
		return src.Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ask.URL, bytes.NewReader(body))
	if err != nil {
		return src.Answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if ask.Token != "" {
		req.Header.Set("Authorization", "Bearer "+ask.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return src.Answer{}, fmt.Errorf("no answer within %v", ask.Timeout)
		}
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the URL, which may hold a key
		}
		return src.Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }() // it has been read, or is not wanted
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return src.Answer{}, fmt.Errorf("no whole answer within %v", ask.Timeout)
	case err != nil:
		return src.Answer{}, fmt.Errorf("reading the answer: %w", err)
	case len(data) > maxAnswer:
		return src.Answer{}, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	case resp.StatusCode != http.StatusOK:
		return src.Answer{}, fmt.Errorf("answered %s", resp.Status)
	}
	return decode(data)
}

func encode(q src.Question) question {
	out := question{
		Rule: q.Rule, Recorders: q.Recorders, CallID: q.CallID, SIPCallID: q.SIPCallID, From: q.From, To: q.To,
		RequestURI: q.RequestURI, Source: q.Source, Route: q.Route, Started: q.Started.UTC(), Headers: [][2]string{},
	}
	for _, h := range q.Headers {
		out.Headers = append(out.Headers, [2]string{h.Name, h.Value})
	}
	return out
}

// decode reads an answer.
func decode(data []byte) (src.Answer, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var a answer
	if err := d.Decode(&a); err != nil {
		return src.Answer{}, fmt.Errorf("the answer is not understood: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return src.Answer{}, errors.New("the answer is not understood: more than one value")
	}
	switch a.Tracks {
	case "", policy.TracksBoth, policy.TracksCaller, policy.TracksCallee:
	default:
		return src.Answer{}, fmt.Errorf("the answer is not understood: tracks %.32q", a.Tracks)
	}
	if a.Recorders != nil && len(a.Recorders) == 0 {
		return src.Answer{Record: false}, nil
	}
	out := src.Answer{
		Record: a.Record == nil || *a.Record, Recorders: a.Recorders, Tracks: a.Tracks, Required: a.Required,
		Particulars: src.Particulars{Group: a.Group, Headers: a.Headers, Parameters: a.Parameters},
	}
	return out, out.Check()
}
