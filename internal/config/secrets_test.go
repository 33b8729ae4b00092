package config_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"sidetrack/internal/config"
)

// What came out of the environment, and keys in URLs, are in nothing that others see: the
// description, the rules in words, the configuration as the API shows it, and warnings.
func TestSecretsInURLsAreNotShown(t *testing.T) {
	const text = `
sip: {listen: ["udp://192.0.2.1:5060"], trusted: [192.0.2.0/24]}
routes:
  - to: "sip:192.0.2.20?X-Pass=${SECRET}&X-Other=1, sip:user:${SECRET}@192.0.2.21?X-Api-Key=hush2"
    srtp: {callee: required}
  - to: [{uri: "sip:192.0.2.22?X-Pass=${SECRET}", auth: {user: u, password: "${SECRET}"}}]
recorders: {main: {srs: "sip:198.51.100.7"}}
recording: [{recorder: main, decide: {url: "https://rules.example/decide?key=${SECRET}", token: "${SECRET}"}}]
webhooks: {queue: q, hooks: [{name: crm, url: "https://crm.example/?key=${SECRET}", secret: 0123456789hush2cdef}]}
tracing: {otlp: "https://spans.example/v1/traces?key=${SECRET}", headers: {X-Key: "${SECRET}"}}
`
	cfg, problems := config.Parse("x.yaml", []byte(text), options(t))
	if cfg == nil {
		t.Fatal(problems)
	}
	var out bytes.Buffer
	cfg.Describe(&out)
	enc := json.NewEncoder(&out)
	if err := enc.Encode(cfg.ShownRules()); err != nil {
		t.Fatal(err)
	}
	out.WriteString(cfg.Warnings.String())
	for _, want := range []string{"sip:192.0.2.20?X-Pass=***&X-Other=***", "sip:user:***@192.0.2.21?X-Api-Key=***", "sip:192.0.2.22?X-Pass=*** (as user u)", "https://rules.example/decide?***", "https://crm.example/?***"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(out.String(), "hush") {
		t.Errorf("a secret is told:\n%s", &out)
	}
}
