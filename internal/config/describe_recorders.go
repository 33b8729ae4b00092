package config

import (
	"strings"

	"sidetrack/internal/redact"
	"sidetrack/policy"
)

func (c *Config) describeRecorders(t *table) {
	t.title("Recorders")
	if len(c.Recorders) == 0 {
		t.row("none")
	}
	for _, r := range c.Recorders {
		t.row(r.Name, "tries", uris(r.SRS))
		wait := short(r.Timeout) + " for each"
		if r.Hedge > 0 {
			wait += ", " + short(r.Hedge) + " before the next is asked as well"
		}
		t.row("", "waits", wait)
		kept := "nothing until one has answered"
		if r.Buffer > 0 {
			kept = "up to " + short(r.Buffer) + " of audio until one has answered"
			if r.Replay > 0 {
				kept += ", " + short(r.Replay) + " for the one after it"
			}
		}
		t.row("", "keeps", kept)
		if !r.Retry {
			t.row("", "when none takes it", "a call is not recorded")
		}
		if r.MidCall == MidCallStop {
			t.row("", "when its SRS is lost", "a recording ends")
		}
		switch r.DTMF {
		case DTMFDrop:
			t.row("", "digits", "are left out")
		case DTMFMask:
			t.row("", "digits", "become silence")
		}
		switch r.Pause {
		case PauseSilence:
			t.row("", "pauses", "are sent as silence")
		case PauseBeep:
			t.row("", "pauses", "are sent as beeps")
		}
		switch r.Transcode {
		case TranscodeFallback:
			t.row("", "other codecs", "become G.711 where an SRS does not take them")
		case TranscodePCMA, TranscodePCMU:
			t.row("", "copies", "are sent as "+strings.ToUpper(string(r.Transcode)))
		}
		if r.SSRC == SSRCSource {
			t.row("", "copies", "carry the SSRC and the numbers of their source")
		}
		if len(r.HeaderExtensions) > 0 {
			t.row("", "header extensions", strings.Join(r.HeaderExtensions, ", "))
		}
		if r.Mask == PauseBeep {
			t.row("", "masks", "are sent as beeps")
		}
		if r.SRTP != SRTPOff {
			t.row("", "srtp", string(r.SRTP)+": "+or(strings.Join(r.Suites, ", "), "AES-GCM and AES-CM suites"))
		}
		if r.PlainCopy {
			t.row("", "encrypted calls", "are copied in clear")
		}
		if re := r.SkipFailoverCodes; re != nil {
			t.row("", "gives up on", "a final code that matches "+strings.TrimPrefix(re.String(), "(?i)"))
		}
		if r.Dialect != (Dialect{}) {
			t.row("", "speaks", r.Dialect.words())
		}
		if r.Strategy != StrategyOrdered {
			t.row("", "begins by", string(r.Strategy))
		}
		if r.Probe.Interval > 0 {
			t.row("", "probes", "every "+short(r.Probe.Interval))
		}
		if words := r.Session.words(); words != "" {
			t.row("", "session timer", words)
		}
		if r.FollowRedirects {
			t.row("", "follows", "redirections (3xx)")
		}
		if r.Auth != nil {
			t.row("", "signs in as", r.Auth.User)
		}
		if r.Accept != nil {
			t.row("", "may be asked by", r.Accept.words())
		}
		t.row("", "from", redact.Passwords(r.FromURI))
		t.row("", "to", or(redact.Passwords(r.ToURI), "the SRS"))
		if r.Network != "" {
			t.row("", "media over", r.Network)
		}
		if r.Socket != "" {
			t.row("", "leaves by", r.Socket)
		}
		if tls := r.TLS; tls != nil {
			t.row("", "over tls", "trusts "+or(tls.CA, "the system's authorities")+", shows "+or(tls.Certificate, "no certificate")+
				", expects "+or(tls.ServerName, "the name of the URI"))
		}
		for _, h := range r.Headers {
			value := h.Value.String()
			if h.Secret {
				value = "(hidden)"
			}
			t.row("", "header", h.Name+": "+value)
		}
		c.describeMetadata(t, r)
	}
}

func (c *Config) describeMetadata(t *table, r Recorder) {
	for _, m := range []struct {
		name string
		tmpl *policy.Template
	}{
		{"group", r.Group}, {"group extension", r.GroupExtension}, {"session extension", r.SessionExtension},
		{"caller", r.Caller}, {"callee", r.Callee},
		{"caller extension", r.CallerExtension}, {"callee extension", r.CalleeExtension},
	} {
		switch {
		case m.tmpl == nil:
		case c.hidden[m.tmpl]:
			t.row("", m.name, "(hidden)")
		default:
			t.row("", m.name, m.tmpl.String())
		}
	}
}
