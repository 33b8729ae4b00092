package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"sidetrack/policy"
)

func (d *decoder) recorders(c cursor) {
	c.free("a name for each recorder", func(name string, v cursor) {
		// Names are metric labels, command arguments and parts of URLs.
		if name == policy.NoRecorder || len(name) > 64 || !token(name) || strings.ContainsAny(name, "%*'`!~+") {
			v.failf("%q cannot name a recorder; write letters, digits, - _ and . (not %q)", name, policy.NoRecorder)
		}
		d.named[name] = v.n.line
		d.recorder(name, v)
	})
}

func (d *decoder) recorder(name string, c cursor) {
	r := Recorder{SRTP: SRTPOff, Name: name, Timeout: 4 * time.Second, Buffer: 10 * time.Second, Retry: true, MidCall: MidCallMove, Strategy: StrategyOrdered, Check: 10 * time.Second, DTMF: DTMFPass, Parameters: ParametersMetadata, Pause: PauseStop, Mask: PauseSilence, Transcode: TranscodeOff, SSRC: SSRCOwn, Session: SessionTimer{Min: leastSession}}
	var srs []target
	var speak dialect
	ok := c.read(fields{
		{"srs", func(c cursor) { r.SRS, srs = d.srs(c) }},
		{"skip_failover_codes", func(c cursor) { r.SkipFailoverCodes = c.codes("the second SRS is never tried") }},
		{"timeout", func(c cursor) {
			if v, ok := c.duration(100*time.Millisecond, 5*time.Minute, "4s"); ok {
				r.Timeout = v
			}
		}},
		{"buffer", func(c cursor) {
			if v, ok := c.duration(0, time.Minute, "10s"); ok {
				r.Buffer = v
			}
		}},
		{"hedge", func(c cursor) { c.hedge(&r) }},
		{"replay", d.replay(&r)},
		{"retry", func(c cursor) {
			if v, ok := c.boolean(); ok {
				r.Retry = v
			}
		}},
		{"midcall", func(c cursor) { choose(c, &r.MidCall, MidCallMove, MidCallStop) }},
		{"check", func(c cursor) {
			if v, ok := c.duration(0, time.Hour, "10s"); ok {
				r.Check = v
			}
		}},
		{"rtcp_timeout", func(c cursor) {
			if v, ok := c.duration(0, time.Hour, "15s"); ok {
				r.RTCPTimeout = v
			}
		}},
		{"dtmf", func(c cursor) { choose(c, &r.DTMF, DTMFPass, DTMFDrop, DTMFMask) }},
		{"pause", func(c cursor) { choose(c, &r.Pause, PauseStop, PauseSilence, PauseBeep) }},
		{"transcode", func(c cursor) {
			choose(c, &r.Transcode, TranscodeOff, TranscodeFallback, TranscodePCMA, TranscodePCMU)
		}},
		{"ssrc", func(c cursor) { choose(c, &r.SSRC, SSRCOwn, SSRCSource) }},
		{"header_extensions", func(c cursor) { r.HeaderExtensions = c.headerExtensions() }},
		{"mask", func(c cursor) { choose(c, &r.Mask, PauseSilence, PauseBeep) }},
		{"srtp", func(c cursor) {
			choose(c, &r.SRTP, SRTPOff, SRTPOptional, SRTPRequired)
			d.later(func() { d.checkKeys(c, &r, srs) })
		}},
		{"suites", func(c cursor) { r.Suites = c.suites() }},
		{"srtp_over_plain", flag(&r.SRTPOverPlain)},
		{"plain_copy", flag(&r.PlainCopy)},
		{"follow_redirects", func(c cursor) {
			if v, ok := c.boolean(); ok {
				r.FollowRedirects = v
			}
		}},
		{"profile", func(c cursor) { choose(c, &speak.profile, Profiles...) }},
		{"updates", speak.updates},
		{"dialect", speak.read},
		{"probe", func(c cursor) { r.Probe = c.probe() }},
		{"session_timer", func(c cursor) { c.sessionTimer(&r.Session) }},
		{"strategy", func(c cursor) {
			choose(c, &r.Strategy, StrategyOrdered, StrategyRoundRobin, StrategyWeighted, StrategyLeastSessions, StrategyHash)
		}},
		{"weights", func(c cursor) { d.weights(c, &r) }},
		{"auth", func(c cursor) { r.Auth = c.auth() }},
		{"accept", func(c cursor) { r.Accept = d.accept(c) }},
		{"from_uri", func(c cursor) { ownURI(c, "sip:src@203.0.113.10", &r.FromURI) }},
		{"to_uri", func(c cursor) { ownURI(c, "sip:rec@198.51.100.7", &r.ToURI) }},
		{"headers", func(c cursor) { r.Headers = c.headerTemplates(true) }},
		{"socket", func(c cursor) { d.socket(c, &r, &srs) }},
		{"tls", func(c cursor) { d.tlsOf(c, &r, &srs) }},
		{"network", func(c cursor) { d.networkRef(c, &r.Network) }},
		{"parameters", func(c cursor) { choose(c, &r.Parameters, ParametersMetadata, ParametersHeaders) }},
		{"group", func(c cursor) { r.Group = c.template() }},
		{"group_extension", func(c cursor) { r.GroupExtension = c.xml(extension) }},
		{"session_extension", func(c cursor) { r.SessionExtension = c.xml(extension) }},
		{"caller", func(c cursor) { r.Caller = c.xml(nameID) }},
		{"callee", func(c cursor) { r.Callee = c.xml(nameID) }},
		{"caller_extension", func(c cursor) { r.CallerExtension = c.xml(extension) }},
		{"callee_extension", func(c cursor) { r.CalleeExtension = c.xml(extension) }},
	})
	if !ok {
		return
	}
	r.Dialect = speak.dialect()
	r.finishReplay(c)
	r.checkHedge(c)
	if len(r.HeaderExtensions) > 0 && r.Dialect.Streams == StreamsMixed {
		d.warnf(c.n.get("header_extensions").line, join(c.path, "header_extensions"), "has no effect with streams: mixed")
	}
	if c.n.get("srs") == nil {
		c.failf("has no SRS to record to; add srs: sip:HOST")
	}
	if r.GroupExtension != nil && r.Group == nil && c.n.get("group_extension") != nil {
		d.warnf(c.n.get("group_extension").line, join(c.path, "group_extension"), "has no effect without group; add group: NAME")
	}
	d.cfg.Recorders = append(d.cfg.Recorders, r)
}

func (d *decoder) srs(c cursor) (uris []string, targets []target) {
	for _, item := range c.words("SIP URIs such as sip:198.51.100.7, in the order in which they are tried") {
		t, ok := item.uri("sip:198.51.100.7")
		if !ok {
			continue
		}
		if slices.Contains(uris, item.n.text) {
			item.warnf("%s is listed twice; it is tried twice", item.show())
		}
		uris = append(uris, item.n.text)
		targets = append(targets, t)
		d.later(func() { d.checkTarget(item, t) })
	}
	if c.n.kind == list && len(c.n.items) == 0 {
		c.failf("names no SRS; write a SIP URI such as sip:198.51.100.7")
	}
	return uris, targets
}

// ownURI reads a URI that goes into From or To.
func ownURI(c cursor, example string, into *string) {
	if _, ok := c.uri(example); ok {
		*into = strings.TrimSpace(c.n.text)
	}
}

// socket reads which listener a recording session leaves from, and holds it
// against the SRSs, which are known when the whole recorder has been read.
func (d *decoder) socket(c cursor, r *Recorder, all *[]target) {
	d.listenerRef(c, &r.Socket)
	d.later(func() {
		srs := *all
		proto, _, _ := strings.Cut(r.Socket, "://")
		other := func(t target) bool { return t.transport != "" && t.transport != proto }
		if proto != "" && len(srs) > 0 && !slices.ContainsFunc(srs, func(t target) bool { return !other(t) }) {
			c.warnf("has no effect: no SRS of this recorder is reached by %s", proto)
		}
	})
}

// finishRecorders sets the From of our INVITEs: the host that we advertise.
func (d *decoder) finishRecorders() {
	for i := range d.cfg.Recorders {
		r := &d.cfg.Recorders[i]
		if r.FromURI != "" || len(d.cfg.SIP.Listeners) == 0 {
			continue
		}
		host := d.cfg.SIP.Listeners[0].Advertise
		for _, l := range d.cfg.SIP.Listeners {
			if l.URL == r.Socket {
				host = l.Advertise
			}
		}
		if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
			host = "[" + host + "]"
		}
		r.FromURI = "sip:" + host
	}
}

func (d *decoder) recorderNames() []string {
	var names []string
	for _, r := range d.cfg.Recorders {
		names = append(names, r.Name)
	}
	return names
}
