package repo_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/config"
)

// Every configuration in the repository loads: the examples, and each whole configuration in the papers.
func TestConfigurationsLoad(t *testing.T) {
	examples := append(files(t, ".yaml"), files(t, ".yml")...)
	found := 0
	for _, name := range examples {
		if dir := filepath.ToSlash(filepath.Dir(name)); dir == "examples" {
			found++
			t.Run(name, func(t *testing.T) { load(t, filepath.Join(root, name)) })
		}
	}
	if found < 2 {
		t.Errorf("examples/minimal.yaml and examples/full.yaml are missing: %d examples", found)
	}
	for _, name := range files(t, ".md") {
		for i, snippet := range snippets(t, name) {
			t.Run(fmt.Sprintf("%s snippet %d", name, i+1), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "sidetrack.yaml")
				if err := os.WriteFile(file, []byte(snippet), 0o600); err != nil {
					t.Fatal(err)
				}
				load(t, file)
			})
		}
	}
}

func load(t *testing.T, file string) {
	t.Helper()
	certificate, key := pair(t)
	env := func(name string) (string, bool) {
		switch name {
		case "TLS_CERTIFICATE":
			return certificate, true
		case "TLS_KEY":
			return key, true
		}
		return "from-the-environment", true
	}
	if _, problems := config.Load(file, env); len(problems) > 0 {
		t.Errorf("does not load: %v", problems)
	}
}

// pair writes a certificate and its key.
func pair(t *testing.T) (certificate, private string) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(nil, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, private = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: cert}, private: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, private
}

var fenced = regexp.MustCompile("(?s)```ya?ml\n(.*?)```")

// snippets is the YAML blocks of a paper that are whole configurations: those with a sip and a routes section.
func snippets(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	var whole []string
	for _, m := range fenced.FindAllStringSubmatch(string(text), -1) {
		block := "\n" + m[1]
		if strings.Contains(block, "\nsip:") && strings.Contains(block, "\nroutes:") {
			whole = append(whole, m[1])
		}
	}
	return whole
}

// The README shows a whole configuration that fits on a screen, and the papers it names are there.
func TestReadmeKeepsItsPromises(t *testing.T) {
	shown := snippets(t, "README.md")
	if len(shown) == 0 {
		t.Fatal("README.md shows no whole configuration")
	}
	if n := strings.Count(shown[0], "\n"); n > 15 {
		t.Errorf("its first configuration has %d lines", n)
	}
	link := regexp.MustCompile(`\]\(([^):#]+)[)#]`)
	for _, name := range files(t, ".md") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target := filepath.Join(root, filepath.Dir(name), m[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s points to %s, which is not there", name, m[1])
			}
		}
	}
}

// `make X` in a paper is a target of the Makefile.
func TestNamedMakeTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?:^|`|\\$ )make ([a-z-]+)")
	for _, name := range files(t, ".md") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s says make %s; the Makefile has no such target", name, m[1])
			}
		}
	}
}
