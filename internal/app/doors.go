package app

import (
	"crypto/tls"
	"maps"
	"slices"

	"sidetrack/b2bua"
	"sidetrack/internal/config"
	"sidetrack/internal/sip/transport"
)

// doors are who may start calls by which socket, with the files read that it takes
// to know them.
type doors struct {
	all b2bua.Door
	by  map[string]b2bua.Door // of the sockets that do not go by all, by URL
	tls []string              // the URLs of all TLS sockets
}

func openDoors(sip *config.SIP) (*doors, error) {
	gates := map[*config.SignIn]*b2bua.Auth{nil: nil}
	pools := map[*config.Certified]*transport.Authority{nil: nil}
	open := func(key string, a config.Admission) (b2bua.Door, error) {
		if _, made := gates[a.SignIn]; !made {
			gates[a.SignIn] = signIn(a.SignIn)
		}
		if _, made := pools[a.Certified]; !made {
			roots, err := authorities(key+".ca", a.Certified.CA)
			if err != nil {
				return b2bua.Door{}, err
			}
			pools[a.Certified] = &transport.Authority{Roots: roots, Names: a.Certified.Names}
		}
		return b2bua.Door{Networks: a.Trusted, Authority: pools[a.Certified], Auth: gates[a.SignIn]}, nil
	}
	d := &doors{by: map[string]b2bua.Door{}}
	var err error
	if d.all, err = open("sip.trusted_certificates", config.Admission{Trusted: sip.Trusted, Certified: sip.Certified, SignIn: sip.SignIn}); err != nil {
		return nil, err
	}
	for _, l := range sip.Listeners {
		if l.Proto == "tls" {
			d.tls = append(d.tls, l.URL)
		}
		if !l.Own() {
			continue
		}
		if d.by[l.URL], err = open("sip.listen["+l.URL+"].trusted_certificates", sip.Admission(l)); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// until are the doors while sockets of before are still there: who comes by one that is to
// go meets the door that it had.
func (d *doors) until(before *doors, was, is []string) *doors {
	out := &doors{all: d.all, by: maps.Clone(d.by)}
	for _, url := range was {
		if slices.Contains(is, url) {
			continue
		}
		own, ok := before.by[url]
		if !ok {
			own = before.all
		}
		out.by[url] = own
	}
	return out
}

// serve are the settings of the TLS sockets that ask their clients for a
// certificate. Which it is does not matter to the handshake: a phone that shows its
// maker's is not cut off for that, but asked who it is like any other.
func (d *doors) serve(base *tls.Config) map[string]*tls.Config {
	out := map[string]*tls.Config{}
	for _, url := range d.tls {
		door, own := d.by[url]
		if !own {
			door = d.all
		}
		if door.Authority == nil || base == nil || base.ClientAuth != tls.NoClientCert {
			continue
		}
		c := base.Clone()
		c.ClientAuth, c.ClientCAs = tls.RequestClientCert, door.Authority.Roots // these are named: who has several can choose
		out[url] = c
	}
	return out
}
