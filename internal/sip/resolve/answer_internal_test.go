package resolve

import (
	"testing"
	"time"

	"github.com/miekg/dns"
)

// FuzzAnswer reads what a name server may send: an answer of bounded life without names that would be asked for in vain.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"example.com. 60 IN A 192.0.2.1", "example.com. 0 IN AAAA 2001:db8::1", "_sip._udp.example.com. 4294967295 IN SRV 1 2 5060 a.example.com.",
		"_sip._tcp.example.com. 1 IN SRV 0 0 0 .", `example.com. 1 IN NAPTR 1 2 "s" "SIP+D2U" "" _sip._udp.example.com.`, "example.com. 5 IN CNAME other.example.",
	} {
		rr, err := dns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}
		m := new(dns.Msg)
		m.SetQuestion("example.com.", rr.Header().Rrtype)
		m.Answer = append(m.Answer, rr)
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(dns.Msg)
		if m.Unpack(b) != nil {
			return
		}
		for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeNAPTR} {
			before := time.Unix(1e9, 0)
			a := read(m, kind, before)
			if left := a.expires.Sub(before); left < minTTL || left > maxTTL+time.Second {
				t.Errorf("an answer for %v", left)
			}
			if n := len(a.addrs) + len(a.srv) + len(a.naptr); n > len(m.Answer) {
				t.Errorf("%d of %d records", n, len(m.Answer))
			}
			for _, s := range a.srv {
				if s.target == "" {
					t.Error("a service that is not offered")
				}
			}
		}
	})
}
