package config

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

// SignIn has those who are not trusted prove who they are (HTTP digest).
type SignIn struct {
	Realm      string
	Algorithms []string // SHA-256, MD5; the best first
	Proxy      bool     // by 407 instead of 401
	Users      []SignInUser
}

// SignInUser is one who may start calls and register.
type SignInUser struct {
	Name        string
	Password    string // or
	SHA256, MD5 string // HA1 in hexadecimal; "" for none
}

// signIn reads how strangers prove who they are.
func (d *decoder) signIn(c cursor) *SignIn {
	in := &SignIn{Algorithms: []string{"SHA-256", "MD5"}}
	var file *cursor
	name := ""
	ok := c.read(fields{
		{"realm", func(c cursor) {
			if s, ok := c.oneLine("a realm such as example.com"); ok {
				if strings.ContainsAny(s, `"\`) {
					c.failf("%s holds quotes or backslashes; write a realm such as example.com", c.show())
				}
				in.Realm = s
			}
		}},
		{"status", func(c cursor) {
			s, _ := c.oneOf("401", "407")
			in.Proxy = s == "407"
		}},
		{"algorithms", func(c cursor) {
			in.Algorithms = nil
			for _, item := range c.words("SHA-256 and MD5") {
				if s, ok := item.oneOf("SHA-256", "MD5"); ok {
					in.Algorithms = append(in.Algorithms, s)
				}
			}
		}},
		{"users", func(c cursor) {
			c.free("USER: password", func(name string, v cursor) {
				if s, ok := v.oneLine("a password, best as ${NAME} of the environment"); ok && d.signInName(v, in, name) {
					in.Users = append(in.Users, SignInUser{Name: name, Password: s})
				}
			})
		}},
		{"file", func(c cursor) { name, file = d.fileName(c), &c }},
	})
	if !ok || c.n.null() {
		return nil
	}
	if in.Realm == "" && c.n.get("realm") == nil {
		c.failf("has no realm, and phones show it to people; add realm: example.com")
	}
	if name != "" {
		d.signInFile(*file, in, name)
	}
	if len(in.Users) == 0 && len(d.problems) == 0 {
		c.failf("has no users, so nobody could sign in; add users, or file: NAME")
	}
	d.later(func() { d.checkSignIn(c, in) })
	return in
}

// signInName checks the name of a user.
func (d *decoder) signInName(c cursor, in *SignIn, name string) bool {
	if name == "" || strings.ContainsAny(name, ":\"\\\r\n") {
		c.failf("%q cannot name a user; write a name without colons and quotes", name)
		return false
	}
	for _, u := range in.Users {
		if u.Name == name {
			c.failf("the user %q is there twice; keep one", name)
			return false
		}
	}
	return true
}

// signInFile reads lines of USER:REALM:HA1, as htdigest writes them; the same with
// SHA-256 has a longer HA1. A user may have a line for each.
func (d *decoder) signInFile(c cursor, in *SignIn, name string) {
	f, err := os.Open(name)
	if err != nil {
		c.failf("%v", fileError(name, err))
		return
	}
	defer f.Close()
	byName := map[string]int{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		user, rest, _ := strings.Cut(line, ":")
		realm, ha1, _ := strings.Cut(rest, ":")
		ha1 = strings.ToLower(ha1)
		if _, err := hex.DecodeString(ha1); err != nil || user == "" || len(ha1) != 32 && len(ha1) != 64 {
			c.failf("file %s, line %d is not USER:REALM:HA1; write it with htdigest", name, n)
			return
		}
		if realm != in.Realm {
			c.failf("file %s, line %d is for the realm %q; write %q, or change realm", name, n, realm, in.Realm)
			return
		}
		i, known := byName[user]
		if !known {
			if !d.signInName(c, in, user) {
				return
			}
			i = len(in.Users)
			byName[user], in.Users = i, append(in.Users, SignInUser{Name: user})
		}
		if len(ha1) == 64 {
			in.Users[i].SHA256 = ha1
		} else {
			in.Users[i].MD5 = ha1
		}
	}
	if err := lines.Err(); err != nil {
		c.failf("%v", fileError(name, err))
	}
}

// checkSignIn finds what no user could answer, and tells what is seldom meant.
func (d *decoder) checkSignIn(at cursor, in *SignIn) {
	offered := 0
	for _, a := range in.Algorithms {
		all := true
		for _, u := range in.Users {
			has := u.MD5
			if a == "SHA-256" {
				has = u.SHA256
			}
			all = all && (u.Password != "" || has != "")
		}
		if all {
			offered++
		}
	}
	if offered == 0 && len(in.Users) > 0 {
		at.failf("no algorithm of %s is one that every user has a key for; add the lines, or write another", either(in.Algorithms))
	}
	if d.cfg.SIP.SignIn == in && len(d.cfg.SIP.Trusted) == 0 && d.cfg.SIP.Certified == nil {
		at.warnf("and sip.trusted names nobody: the PBX has to sign in, too; list its address there")
	}
}

// describe tells it for people.
func (in *SignIn) describe() string {
	status := 401
	if in.Proxy {
		status = 407
	}
	return fmt.Sprintf("sign in (%d) for %s by %s, %d known", status, in.Realm, either(in.Algorithms), len(in.Users))
}
