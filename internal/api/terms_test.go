package api_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"sidetrack/internal/api"
)

// hello asks for the calls over the network, with a token.
func hello(t *testing.T, c *http.Client, addr, token string) int {
	t.Helper()
	req, _ := http.NewRequest("GET", "http://"+addr+"/api/v1/calls", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.Do(req)
	if err != nil {
		return 0
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode
}

const oldToken, newToken = "old-0123456789abcdef", "new-0123456789abcdef"

func one(token, listen string) api.Settings {
	return api.Settings{Access: api.Access{Tokens: []api.Token{{Name: "x", Role: api.RoleRead, Secret: token}}}, Listen: listen}
}

// Other terms count for the next request of a connection that is open; a stream
// of events ends when its reader may have it no more.
func TestTermsChange(t *testing.T) {
	s := handler(double())
	defer s.Close(context.Background())
	put := func(to api.Settings) {
		t.Helper()
		swap, _, err := s.Prepare(to)
		if err != nil {
			t.Fatal(err)
		}
		swap()
	}
	put(one(oldToken, "127.0.0.1:0"))
	first := s.Addr().String()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	if got := hello(t, client, first, oldToken); got != 200 {
		t.Fatalf("%d", got)
	}
	req, _ := http.NewRequest("GET", "http://"+first+"/api/v1/events", nil)
	req.Header.Set("Authorization", "Bearer "+oldToken)
	stream, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()

	put(one(newToken, "127.0.0.1:0"))
	if s.Addr().String() != first {
		t.Error("the socket has changed without need")
	}
	if was, now := hello(t, client, first, oldToken), hello(t, client, first, newToken); was != 401 || now != 200 {
		t.Errorf("the old token %d, the new one %d", was, now)
	}
	if _, err := io.ReadAll(stream.Body); err != nil {
		t.Errorf("the stream of the old token: %v", err)
	}

	file := filepath.Join(t.TempDir(), "api.sock")
	other := one(newToken, "127.0.0.2:0")
	other.Socket = file
	put(other)
	if second := s.Addr().String(); second == first || hello(t, client, second, newToken) != 200 {
		t.Errorf("the second socket %s", second)
	}
	if c, err := net.Dial("tcp", first); err == nil {
		c.Close()
		t.Error("the first socket is still open")
	}
	if c, err := net.Dial("unix", file); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	put(one(newToken, "127.0.0.2:0"))
	if c, err := net.Dial("unix", file); err == nil {
		c.Close()
		t.Error("the unix socket is still there")
	}
}

// What cannot be bound leaves everything as it was.
func TestTermsThatCannotBe(t *testing.T) {
	s := handler(double())
	defer s.Close(context.Background())
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	before := s.Addr().String()
	to := one(newToken, "127.0.0.3:0")
	to.Socket = filepath.Join(t.TempDir(), "none", "x")
	if _, _, err := s.Prepare(to); err == nil || err.Error() != "http.socket: listening on "+to.Socket+": no such file or directory" {
		t.Errorf("error %v", err)
	}
	if _, undo, err := s.Prepare(one(newToken, "127.0.0.3:0")); err != nil {
		t.Error(err)
	} else {
		undo()
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if got := hello(t, client, before, "wrong-0123456789abcdef"); got != 401 || s.Addr().String() != before {
		t.Errorf("%d at %s", got, s.Addr())
	}
}
