package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sidetrack/internal/config"
)

// What is shown holds no secret, whether written in the file or out of the environment.
func TestShownHidesSecrets(t *testing.T) {
	cfg, problems := config.Parse("x.yaml", []byte(`
sip: {listen: ["udp://192.0.2.1:5060"], trusted: [192.0.2.0/24], max_calls: 7, auth: {realm: r, users: {alice: s3cret, bob: "${SECRET}"}}}
routes:
  - {to: "sip:u:s3cret@192.0.2.20, sip:v:s3cret@192.0.2.21", auth: {user: acme, password: s3cret}}
recorders:
  main:
    srs: sip:198.51.100.7
    headers: {Authorization: Bearer s3cret, X-Api-Key: s3cret, X-Tenant: acme, X-Other: "${SECRET}-x"}
    auth: {user: sidetrack, password: "${SECRET}"}
recording: [{recorder: main, required: true}]
http: {tokens: [{name: grafana, role: read, token: s3cret-0123456789}]}
`), options(t))
	if cfg == nil {
		t.Fatal(problems)
	}
	b, err := json.Marshal(cfg.Shown())
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	if strings.Contains(got, "s3cret") || strings.Contains(got, "hush") {
		t.Errorf("tells a secret: %s", got)
	}
	for _, want := range []string{
		`"to":"sip:u:***@192.0.2.20, sip:v:***@192.0.2.21"`, `"user":"acme"`, `"password":"(hidden)"`, `"password":"${SECRET}"`,
		`"X-Tenant":"acme"`, `"X-Other":"${SECRET}-x"`, `"max_calls":7`, `"users":{"alice":"(hidden)","bob":"${SECRET}"}`, `"required":true`, `"token":"(hidden)"`, `"name":"grafana"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	rules, err := json.Marshal(cfg.ShownRules())
	if err != nil || strings.Contains(string(rules), "s3cret") || !strings.Contains(string(rules), `"kind":"recording","place":1,"name":"rule-1","match":["everything"]`) {
		t.Errorf("%s %v", rules, err)
	}
}
