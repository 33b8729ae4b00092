package recorder_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/srtp/v3"

	"sidetrack/internal/recorder"
)

// key is one direction's, known in words that the recorder has not written.
type key struct {
	suite   string
	profile srtp.ProtectionProfile
	secret  []byte
}

func newKey(suite string, profile srtp.ProtectionProfile, fill byte) key {
	k, _ := profile.KeyLen()
	s, _ := profile.SaltLen()
	return key{suite, profile, bytes.Repeat([]byte{fill}, k+s)}
}

func (k key) inline() string { return "inline:" + base64.StdEncoding.EncodeToString(k.secret) }

func (k key) context(t *testing.T) *srtp.Context {
	t.Helper()
	n, _ := k.profile.KeyLen()
	ctx, err := srtp.CreateContext(k.secret[:n], k.secret[n:], k.profile)
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// answeredKey is the key of a section of an answer.
func answeredKey(t *testing.T, body string, tag int, k key) key {
	t.Helper()
	_, rest, ok := strings.Cut(body, fmt.Sprintf("a=crypto:%d %s inline:", tag, k.suite))
	if !ok {
		t.Fatalf("no key of tag %d and suite %s in the answer:\n%s", tag, k.suite, body)
	}
	secret, err := base64.StdEncoding.DecodeString(strings.Fields(rest)[0])
	if err != nil || len(secret) != len(k.secret) || bytes.Equal(secret, k.secret) {
		t.Fatalf("not a key of its own: %v", err)
	}
	return key{k.suite, k.profile, secret}
}

// A client that sends SRTP is answered with a key, heard, and reported to as SRTCP; its keys are not kept.
func TestRecordsSRTP(t *testing.T) {
	for suite, profile := range map[string]srtp.ProtectionProfile{
		"AES_CM_128_HMAC_SHA1_80": srtp.ProtectionProfileAes128CmHmacSha1_80,
		"AEAD_AES_256_GCM":        srtp.ProtectionProfileAeadAes256Gcm,
	} {
		t.Run(suite, func(t *testing.T) {
			s, ended := serve(t, func(c *recorder.Config) { c.RTCPInterval = 40 * time.Millisecond })
			c := dial(t, s, "udp", 1)
			k := newKey(suite, profile, 'K')
			o := offer{sections: []section{{label: "1", proto: "RTP/SAVP", extra: "a=crypto:1 UNKNOWN inline:AAAA\r\na=crypto:7 " + suite + " " + k.inline() + "\r\n"}}}
			m := c.call(o)
			if !strings.Contains(m.body, "RTP/SAVP") || strings.Count(m.body, "a=crypto") != 1 {
				t.Fatalf("answer:\n%s", m.body)
			}
			theirs, ours := answeredKey(t, m.body, 7, k).context(t), k.context(t)
			x := newSender(c, 0, "PCMU", 0, 0) // over the end of the sequence numbers
			for i := range 100 {
				sealed, err := ours.EncryptRTP(nil, x.frame(), nil)
				if err != nil {
					t.Fatal(err)
				}
				if i == 50 { // what is not authentic is not heard
					forged := bytes.Clone(sealed)
					forged[30] ^= 1
					x.write(forged)
				}
				x.write(sealed)
			}
			packets(t, s, 0, 100)
			sealedReport(t, c, theirs)
			c.bye()
			sum := result(t, ended)
			if len(sum.Problems) != 1 || !strings.Contains(sum.Problems[0], "SRTP") {
				t.Errorf("problems %q", sum.Problems)
			}
			w := wav(t, sum, 0)
			only(t, "label 1", w.PCM, w.Rate, 0)
			entries, err := os.ReadDir(sum.Folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if b := mustRead(t, filepath.Join(sum.Folder, e.Name())); strings.Contains(b, k.inline()[:24]) {
					t.Errorf("a key in %s", e.Name())
				}
			}
		})
	}
}

// sealedReport awaits a receiver report that only its key opens.
func sealedReport(t *testing.T, c *client, theirs *srtp.Context) {
	t.Helper()
	buf := make([]byte, 1500)
	c.rtcp[0].SetReadDeadline(time.Now().Add(patience))
	n, _, err := c.rtcp[0].ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal("no report: ", err)
	}
	clear, err := theirs.DecryptRTCP(nil, buf[:n], nil)
	if err != nil {
		t.Fatal("a report that its key does not open: ", err)
	}
	list, err := rtcp.Unmarshal(clear)
	if _, ok := list[0].(*rtcp.ReceiverReport); err != nil || !ok {
		t.Errorf("%v, %v", list, err)
	}
}
