package config

// Auth is what an SRS that asks is told (HTTP digest).
type Auth struct{ User, Password string }

// auth reads the credentials for a recorder.
func (c cursor) auth() *Auth {
	a := &Auth{}
	text := func(into *string, want string) func(cursor) {
		return func(c cursor) {
			if s, ok := c.text(want); ok {
				*into = s
			}
		}
	}
	if !c.read(fields{
		{"user", text(&a.User, "the user name")},
		{"password", text(&a.Password, "the password, best as ${NAME} of the environment")},
	}) {
		return nil
	}
	for _, key := range []string{"user", "password"} {
		if c.n.get(key) == nil {
			c.failf("has no %s; add %s: …", key, key)
		}
	}
	return a
}
