//go:build interop

package interop_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// chromium is a headless browser, driven over its DevTools protocol: JSON messages, each with a zero byte behind it, on
// descriptors 3 and 4. No port is opened for that.
type chromium struct {
	t       *testing.T
	in      *os.File
	session string // of the one tab

	mu      sync.Mutex
	id      int
	waiting map[int]chan devtools
	errors  []string // exceptions and complaints of the page
	fetched []string // URLs that it has asked for
}

type devtools struct {
	ID     int
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct{ Message string }
}

// newChromium opens a tab that shows the token as password to whoever asks.
func newChromium(t *testing.T) *chromium {
	t.Helper()
	need(t, "chromium")
	toBrowser, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, fromBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--remote-debugging-pipe",
		"--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{toBrowser, fromBrowser}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	toBrowser.Close()
	fromBrowser.Close()
	b := &chromium{t: t, in: in, waiting: map[int]chan devtools{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(out)
	}()
	t.Cleanup(func() {
		in.Close() // the end of its input ends it
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
		<-read
		out.Close()
		if t.Failed() {
			t.Logf("chromium said:\n%s", tail(said.String(), 20))
		}
	})
	var target struct{ TargetID string }
	b.ask("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.ask("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	b.ask("Runtime.enable", nil, nil)
	b.ask("Log.enable", nil, nil)
	b.ask("Page.enable", nil, nil)
	b.ask("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil)
	return b
}

func (b *chromium) read(out *os.File) {
	r := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m devtools
		if json.Unmarshal(line[:len(line)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		switch {
		case m.ID != 0:
			if c := b.waiting[m.ID]; c != nil {
				delete(b.waiting, m.ID)
				c <- m
			}
		case m.Method == "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			if json.Unmarshal(m.Params, &p) == nil {
				b.fetched = append(b.fetched, p.Request.URL)
			}
		case m.Method == "Runtime.exceptionThrown", m.Method == "Log.entryAdded" && bytes.Contains(m.Params, []byte(`"error"`)):
			b.errors = append(b.errors, string(m.Params))
		}
		b.mu.Unlock()
	}
}

// ask sends a command to the tab and waits for its result.
func (b *chromium) ask(method string, params, result any) {
	b.t.Helper()
	b.mu.Lock()
	b.id++
	answer := make(chan devtools, 1)
	b.waiting[b.id] = answer
	m := map[string]any{"id": b.id, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	text, err := json.Marshal(m)
	b.mu.Unlock()
	if err == nil {
		_, err = b.in.Write(append(text, 0))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	select {
	case got := <-answer:
		if got.Error != nil {
			b.t.Fatalf("%s: %s", method, got.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(got.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
	case <-time.After(patience):
		b.t.Fatalf("%s: the browser does not answer", method)
	}
}

// login has every request of the tab show this token as password.
func (b *chromium) login(token string) {
	b.t.Helper()
	b.ask("Network.enable", nil, nil)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("tests:"+token))
	b.ask("Network.setExtraHTTPHeaders", map[string]any{"headers": map[string]string{"Authorization": basic}}, nil)
}

// eval runs an expression in the page and gives its value as JSON has it.
func (b *chromium) eval(format string, args ...any) string {
	b.t.Helper()
	var out struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	b.ask("Runtime.evaluate", map[string]any{"expression": fmt.Sprintf(format, args...), "returnByValue": true, "awaitPromise": true}, &out)
	if out.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", format, out.ExceptionDetails)
	}
	return string(out.Result.Value)
}

// until waits until an expression is true.
func (b *chromium) until(format string, args ...any) {
	b.t.Helper()
	if !eventually(patience, func() bool { return b.eval(format, args...) == "true" }) {
		b.t.Fatalf("never true: %s\nthe page shows\n%s", fmt.Sprintf(format, args...), b.eval("document.body.innerText"))
	}
}

// asking is until for the page that shows calls: it has it ask the proxy now, not when its time has come.
func (b *chromium) asking(format string, args ...any) {
	b.t.Helper()
	b.until(`refresh().then(() => `+format+`)`, args...)
}

// open goes to a page and waits until it is there.
func (b *chromium) open(url string) {
	b.t.Helper()
	b.ask("Page.navigate", map[string]any{"url": url}, nil)
	b.until(`location.href === %q && document.readyState === "complete"`, url)
}

// look sets the size of the window and light or dark.
func (b *chromium) look(width, height int, scheme string) {
	b.t.Helper()
	b.ask("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
	b.ask("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// shoot takes a picture of the page.
func (b *chromium) shoot() []byte {
	b.t.Helper()
	var out struct{ Data []byte }
	b.ask("Page.captureScreenshot", map[string]any{"format": "png"}, &out)
	return out.Data
}

// complaints are the page's errors so far, those with one of these words left out.
func (b *chromium) complaints(but ...string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var left []string
next:
	for _, e := range b.errors {
		for _, word := range but {
			if strings.Contains(e, word) {
				continue next
			}
		}
		left = append(left, e)
	}
	return left
}
