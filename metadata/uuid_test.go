package metadata_test

import (
	"encoding/json"
	"testing"

	"sidetrack/metadata"
)

func TestNewUUID(t *testing.T) {
	u := metadata.NewV4()
	if u[6]>>4 != 4 || u[8]>>6 != 2 || u == metadata.NewV4() {
		t.Errorf("version 4: %v", u)
	}
	// The example of RFC 9562 appendix A.4: www.example.com in the DNS namespace.
	dns, err := metadata.ParseUUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	if err != nil {
		t.Fatal(err)
	}
	if got := metadata.NewV5(dns, "www.example.com").String(); got != "2ed6657d-e927-568b-95e1-2665a8aea6a2" {
		t.Errorf("version 5: %s", got)
	}
	// The id of a group must not change between versions and machines.
	if got := metadata.GroupID("sales").Base64(); got != "cSVEaFujV/+VmUGaGhhtNA==" || metadata.GroupID("other").Base64() == got {
		t.Errorf("group sales has the id %s", got)
	}
}

func TestParseUUID(t *testing.T) {
	const want = "139ff134-7094-4ea9-a4a4-73f0c45e6a23"
	u, err := metadata.ParseUUID(want)
	if err != nil || u.String() != want || u.IsZero() {
		t.Fatalf("got %v, %v", u, err)
	}
	if len(u.Base64()) != 24 || len(u.URLSafe()) != 22 || string(u.ID()) != u.Base64() {
		t.Errorf("forms: %s %s %s", u.Base64(), u.URLSafe(), u.ID())
	}
	for _, s := range []string{u.Base64(), u.URLSafe(), " " + u.Base64()[:10] + "\n " + u.Base64()[10:], "urn:uuid:" + want, "139FF13470944EA9A4A473F0C45E6A23"} {
		if got, err := metadata.ParseUUID(s); err != nil || got != u {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "1234", "urn:uuid:", "AAAA", "zz9ff134-7094-4ea9-a4a4-73f0c45e6a23"} {
		if _, err := metadata.ParseUUID(s); err != metadata.ErrUUID {
			t.Errorf("%q: got %v", s, err)
		}
	}
	b, err := json.Marshal(u)
	var back metadata.UUID
	if err != nil || json.Unmarshal(b, &back) != nil || back != u {
		t.Errorf("JSON: %s, %v", b, back)
	}
}
