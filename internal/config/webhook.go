package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Webhooks are the receivers of events.
type Webhooks struct {
	Queue   string // folder where events wait; "" without hooks
	MaxSize int64  // bytes, of each hook
	Hooks   []Webhook
}

// Webhook is one receiver.
type Webhook struct {
	Name    string
	URL     string
	Secret  string
	CA      string   // PEM; "": the system's authorities
	Events  []string // types, or beginnings with a * behind; empty: all
	Timeout time.Duration
	GiveUp  time.Duration
}

// hookName is a name that a folder and a metric can have too.
var hookName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

const minQueue = 4 << 20

// EventTypes are what webhooks and the event stream tell of.
var EventTypes = []string{
	"call.initiated", "call.ringing", "call.start", "call.stop", "call.failed", "target.up", "target.down", "recording.start", "recording.stop", "recording.failed", "recording.waiting", "recording.paused", "recording.resumed",
	"recording.masked", "recording.unmasked", "recording.tagged", "recording.moved", "recording.verdict",
}

func defaultWebhooks() Webhooks { return Webhooks{MaxSize: 64 << 20} }

func (d *decoder) webhooks(c cursor) {
	w := &d.cfg.Webhooks
	ok := c.read(fields{
		{"queue", func(c cursor) {
			if w.Queue = d.fileName(c); w.Queue != "" {
				c.need(func() error {
					if len(w.Hooks) == 0 {
						return nil
					}
					return folderToMake(w.Queue)
				})
			}
		}},
		{"max_size", func(c cursor) {
			v, ok := c.size("64MiB")
			switch {
			case ok && v < minQueue:
				c.failf("%s is too small; write a size from 4MiB on", c.show())
			case ok:
				w.MaxSize = v
			}
		}},
		{"hooks", func(c cursor) {
			for _, item := range c.items("webhooks") {
				d.hook(item)
			}
		}},
	})
	if ok && len(w.Hooks) > 0 && w.Queue == "" {
		c.failf("has no folder where events can wait; add queue: /var/lib/sidetrack/webhooks")
	}
}

func (d *decoder) hook(c cursor) {
	h := Webhook{Timeout: 5 * time.Second, GiveUp: 24 * time.Hour}
	ok := c.read(fields{
		{"name", func(c cursor) {
			if s, ok := c.word("a name"); ok && !hookName.MatchString(s) {
				c.failf("%s cannot name a webhook; write letters, digits, - and _", c.show())
			} else if ok {
				h.Name = s
			}
		}},
		{"url", func(c cursor) { h.URL = c.hookURL() }},
		{"secret", func(c cursor) {
			if s, ok := c.word("the secret, better as ${NAME}"); ok {
				h.Secret = s
				c.strongEnough(s)
			}
		}},
		{"ca", func(c cursor) {
			if h.CA = d.fileName(c); h.CA != "" {
				if err := checkAuthorities(h.CA); err != nil {
					c.failf("%v", err)
				}
			}
		}},
		{"events", func(c cursor) {
			c.some("types of events")
			for _, item := range c.words("types of events") {
				item.eventType()
				h.Events = append(h.Events, item.n.text)
			}
		}},
		{"timeout", func(c cursor) {
			if v, ok := c.duration(100*time.Millisecond, time.Minute, "5s"); ok {
				h.Timeout = v
			}
		}},
		{"give_up", func(c cursor) {
			if v, ok := c.duration(time.Minute, 30*24*time.Hour, "24h"); ok {
				h.GiveUp = v
			}
		}},
	})
	if !ok {
		return
	}
	for _, key := range []string{"name", "url", "secret"} {
		if c.n.get(key) == nil {
			c.failf("has no %s; add %s: …", key, key)
		}
	}
	if slices.ContainsFunc(d.cfg.Webhooks.Hooks, func(o Webhook) bool { return o.Name == h.Name && h.Name != "" }) {
		c.failf("a second webhook is called %q; choose another name", h.Name)
	}
	d.cfg.Webhooks.Hooks = append(d.cfg.Webhooks.Hooks, h)
}

// hookURL reads where events go.
func (c cursor) hookURL() string {
	s := c.httpURL()
	if u, err := url.Parse(s); err == nil && u.Scheme == "http" && !loopbackHost(u.Hostname()) {
		c.warnf("events, with the numbers of callers, go in clear to %s; write https", u.Host)
	}
	return s
}

// eventType checks one of the types that a webhook wants.
func (c cursor) eventType() {
	head, all := strings.CutSuffix(c.n.text, "*")
	for _, t := range EventTypes {
		if t == c.n.text || all && strings.HasPrefix(t, head) {
			return
		}
	}
	c.failf("%s is no type of event; write one of %s, or the beginning of some with a * behind", c.show(), strings.Join(EventTypes, ", "))
}

// describe is a line for each hook.
func (w Webhooks) describe(t *table) {
	for _, h := range w.Hooks {
		what := "all events"
		if len(h.Events) > 0 {
			what = strings.Join(h.Events, ", ")
		}
		t.row("webhook", h.Name+": "+what+" to "+webQuery.ReplaceAllString(h.URL, "$1?***"))
	}
}
