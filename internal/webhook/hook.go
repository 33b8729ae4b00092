package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Hook is one receiver.
type Hook struct {
	Name    string // of its folder and in metrics: letters, digits, - and _
	URL     string // http or https
	Secret  string // of the signature; with the prefix whsec_ it is base64
	Events  []string
	Timeout time.Duration // of one request
	GiveUp  time.Duration // age above which an event is given up
	TLS     *tls.Config   // nil: the system's authorities
}

// wants tells whether the hook is to hear of events of that type. A pattern is a
// type, or one that ends in * for all that begin so; none means all.
func (h *Hook) wants(kind string) bool {
	for _, p := range h.Events {
		if head, all := strings.CutSuffix(p, "*"); p == kind || all && strings.HasPrefix(kind, head) {
			return true
		}
	}
	return len(h.Events) == 0
}

// Sign is the webhook-signature of a body that is sent under that id and time.
func (h *Hook) Sign(id string, at time.Time, body []byte) string {
	key := []byte(h.Secret)
	if coded, ok := strings.CutPrefix(h.Secret, "whsec_"); ok {
		if k, err := base64.StdEncoding.DecodeString(coded); err == nil {
			key = k
		}
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
