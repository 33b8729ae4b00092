package app

import (
	"sidetrack/b2bua"
	"sidetrack/internal/config"
	"sidetrack/internal/sip/digest"
)

// signIn is how strangers prove who they are; nil: they do not get in.
func signIn(in *config.SignIn) *b2bua.Auth {
	if in == nil {
		return nil
	}
	users := map[string]digest.Keys{}
	for _, u := range in.Users {
		keys := digest.Keys{digest.SHA256: u.SHA256, digest.MD5: u.MD5}
		if u.Password != "" {
			for a := range keys {
				keys[a] = digest.HA1(a, u.Name, in.Realm, u.Password)
			}
		}
		users[u.Name] = keys
	}
	algorithms := make([]digest.Algorithm, len(in.Algorithms))
	for i, a := range in.Algorithms {
		algorithms[i] = digest.Algorithm(a)
	}
	return &b2bua.Auth{Gate: digest.NewGate(in.Realm, algorithms, users), Proxy: in.Proxy}
}
