package decide_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sidetrack/internal/decide"
	"sidetrack/policy"
	"sidetrack/src"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func asked() src.Question {
	return src.Question{
		Rule: "sales", Recorders: []string{"main", "second"}, CallID: "Zk3", SIPCallID: "a@b", From: "sip:alice@example.com",
		To: "sip:bob@example.com", RequestURI: "sip:bob@203.0.113.10", Source: "192.0.2.9", Route: "in",
		Started: time.Date(2026, 3, 2, 11, 15, 0, 0, time.FixedZone("CET", 3600)),
		Headers: []policy.Header{{Name: "X-Queue", Value: "sales"}, {Name: "Via", Value: "SIP/2.0/UDP 192.0.2.9"}},
	}
}

// put asks a server that answers so.
func put(t *testing.T, timeout time.Duration, handler http.HandlerFunc) (src.Answer, error) {
	t.Helper()
	srv := httptest.NewServer(handler)
	defer srv.Close()
	c := decide.New("sidetrack/test")
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return c.Decide(ctx, &policy.Ask{URL: srv.URL + "/decide", Token: "hush-hush", Timeout: timeout}, asked())
}

func TestQuestion(t *testing.T) {
	var got map[string]any
	var head http.Header
	_, err := put(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		head = r.Header
		if r.Method != http.MethodPost || r.URL.Path != "/decide" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, "{}")
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"rule": "sales", "recorders": []any{"main", "second"}, "call_id": "Zk3", "sip_call_id": "a@b", "from": "sip:alice@example.com",
		"to": "sip:bob@example.com", "request_uri": "sip:bob@203.0.113.10", "source": "192.0.2.9", "route": "in",
		"started": "2026-03-02T10:15:00Z", "headers": []any{[]any{"X-Queue", "sales"}, []any{"Via", "SIP/2.0/UDP 192.0.2.9"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("asked\n%v\nwant\n%v", got, want)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer hush-hush", "Content-Type": "application/json", "User-Agent": "sidetrack/test",
	} {
		if head.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, head.Get(name), want)
		}
	}
}

// A key in the URL is not told in the error, which goes to the log and the journal.
func TestKeysAreNotTold(t *testing.T) {
	c := decide.New("sidetrack/test")
	defer c.Close()
	ask := &policy.Ask{URL: "http://127.0.0.1:1/decide?key=hush", Timeout: time.Minute}
	_, err := c.Decide(t.Context(), ask, asked())
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("%v", err)
	}
	if ask.Shown() != "http://127.0.0.1:1/decide?***" {
		t.Error(ask.Shown())
	}
}

func TestAnswers(t *testing.T) {
	no, yes := false, true
	for body, want := range map[string]src.Answer{
		`{}`:               {Record: true},
		`{"record":true}`:  {Record: true},
		`{"record":false}`: {},
		`{"recorders":[]}`: {},
		`{"recorders":["x"],"tracks":"caller","required":false}`: {Record: true, Recorders: []string{"x"}, Tracks: policy.TracksCaller, Required: &no},
		`{"required":true,"group":"g","headers":{"X-A":"1"},"parameters":{"agent":"7"}}` + "\n": {Record: true, Required: &yes,
			Particulars: src.Particulars{Group: "g", Headers: map[string]string{"X-A": "1"}, Parameters: map[string]string{"agent": "7"}}},
	} {
		got, err := put(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", body, got, err, want)
		}
	}
}

func TestNoAnswer(t *testing.T) {
	say := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"no JSON":        {say(200, "yes"), "not understood"},
		"a typing error": {say(200, `{"recorder":"x"}`), `unknown field "recorder"`},
		"two answers":    {say(200, `{}{}`), "more than one value"},
		"wrong tracks":   {say(200, `{"tracks":"all"}`), `tracks "all"`},
		"an error":       {say(500, "{}"), "500 Internal Server Error"},
		"no content":     {say(204, ""), "204 No Content"},
		"elsewhere":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) }, "302 Found"},
		"too long":       {say(200, `{"group":"`+strings.Repeat("x", 64<<10)+`"}`), "more than 65536 bytes"},
		"too many":       {say(200, `{"parameters":{`+many(33)+`}}`), "more than 32"},
		"a long value":   {say(200, `{"parameters":{"a":"`+strings.Repeat("x", 2000)+`"}}`), "values up to 1024"},
		"hangs up":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, "{")
		}, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := put(t, time.Minute, tt.handler)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("answer %+v, error %v; want one with %q", a, err, tt.want)
			}
		})
	}
}

// A program that hangs, before and in the middle of its answer, is not waited for.
func TestSilence(t *testing.T) {
	for name, begin := range map[string]string{"nothing": "", "a beginning": `{"record":`} {
		t.Run(name, func(t *testing.T) {
			_, err := put(t, 50*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client has gone
				if begin != "" {
					_, _ = io.WriteString(w, begin)
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
			})
			if err == nil || !strings.Contains(err.Error(), "within 50ms") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"p` + strings.Repeat("x", i) + `":"v"`)
	}
	return b.String()
}

// Whatever a program says is taken whole or not at all, and within its bounds.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"{}", `{"record":false}`, `{"recorders":["a","a"],"headers":{"X":"\r\nY: z"}}`, "null", "[]", `{"tracks":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := decide.Decode(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Errorf("%q was taken", data)
		}
		if len(a.Headers) > 32 || len(a.Parameters) > 32 || len(a.Group) > 256 {
			t.Errorf("%q: more than is allowed", data)
		}
	})
}
