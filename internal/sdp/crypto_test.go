package sdp_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sidetrack/internal/sdp"
	"sidetrack/internal/srtp"
)

// secret is n octets in base64.
func secret(n int, fill byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, n))
}

func section(t testing.TB, attributes ...string) *sdp.Media {
	t.Helper()
	text := "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/SAVP 0\r\n"
	for _, a := range attributes {
		text += "a=" + a + "\r\n"
	}
	s, err := sdp.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Media()[0]
}

func TestCrypto(t *testing.T) {
	k30, k46, k28, k44 := secret(30, 1), secret(46, 2), secret(28, 3), secret(44, 4)
	for name, c := range map[string]struct {
		value string
		want  srtp.Suite // "": not usable
		mki   string
	}{
		"CM 128/80":              {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30, srtp.AESCM128SHA80, ""},
		"CM 128/32":              {"1 AES_CM_128_HMAC_SHA1_32 inline:" + k30, srtp.AESCM128SHA32, ""},
		"CM 256/80":              {"9 AES_256_CM_HMAC_SHA1_80 inline:" + k46, srtp.AESCM256SHA80, ""},
		"CM 256/32":              {"9 AES_256_CM_HMAC_SHA1_32 inline:" + k46, srtp.AESCM256SHA32, ""},
		"CM 256, older spelling": {"9 AES_CM_256_HMAC_SHA1_80 inline:" + k46, srtp.AESCM256SHA80, ""},
		"GCM 128":                {"9 AEAD_AES_128_GCM inline:" + k28, srtp.AEAD128GCM, ""},
		"GCM 256":                {"9 AEAD_AES_256_GCM inline:" + k44, srtp.AEAD256GCM, ""},
		"no padding":             {"9 AEAD_AES_128_GCM inline:" + strings.TrimRight(k28, "="), srtp.AEAD128GCM, ""},
		"lower case":             {"1 aes_cm_128_hmac_sha1_80 INLINE:" + k30, srtp.AESCM128SHA80, ""},
		"lifetime":               {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^31", srtp.AESCM128SHA80, ""},
		"lifetime in full":       {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|1048576", srtp.AESCM128SHA80, ""},
		"lifetime and MKI":       {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^20|1:4", srtp.AESCM128SHA80, "00000001"},
		"MKI":                    {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|258:2", srtp.AESCM128SHA80, "0102"},
		"window":                 {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " WSH=128", srtp.AESCM128SHA80, ""},
		"KDR=0":                  {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " KDR=0", srtp.AESCM128SHA80, ""},
		"SRTCP in clear":         {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " UNENCRYPTED_SRTCP", srtp.AESCM128SHA80, ""},
		"two keys":               {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^20|1:1;inline:" + k30 + "|2:1", srtp.AESCM128SHA80, "01"},
		"optional extension":     {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " -X=1", srtp.AESCM128SHA80, ""},

		"KDR":                 {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " KDR=20", "", ""},
		"SRTP in clear":       {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " UNENCRYPTED_SRTP", "", ""},
		"no authentication":   {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " UNAUTHENTICATED_SRTP", "", ""},
		"FEC":                 {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " FEC_ORDER=FEC_SRTP", "", ""},
		"unknown parameter":   {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " X=1", "", ""},
		"unknown suite":       {"1 F8_128_HMAC_SHA1_80 inline:" + k30, "", ""},
		"key too short":       {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k28, "", ""},
		"key too long":        {"1 AEAD_AES_128_GCM inline:" + k30, "", ""},
		"two keys, no MKI":    {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + ";inline:" + k30, "", ""},
		"two keys, one MKI":   {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|1:1;inline:" + k30, "", ""},
		"two keys, same MKI":  {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|1:1;inline:" + k30 + "|1:1", "", ""},
		"MKIs of two lengths": {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|1:1;inline:" + k30 + "|2:2", "", ""},
		"nine keys":           {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|0:1" + nine(k30), "", ""},
		"no base64":           {"1 AES_CM_128_HMAC_SHA1_80 inline:!!!", "", ""},
		"not inline":          {"1 AES_CM_128_HMAC_SHA1_80 url:" + k30, "", ""},
		"tag 0":               {"0 AES_CM_128_HMAC_SHA1_80 inline:" + k30, "", ""},
		"tag of ten digits":   {"1000000000 AES_CM_128_HMAC_SHA1_80 inline:" + k30, "", ""},
		"no tag":              {"AES_CM_128_HMAC_SHA1_80 inline:" + k30, "", ""},
		"no key":              {"1 AES_CM_128_HMAC_SHA1_80", "", ""},
		"lifetime too long":   {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^49", "", ""},
		"lifetime of letters": {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|long", "", ""},
		"MKI too large":       {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|256:1", "", ""},
		"MKI of 129 octets":   {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|1:129", "", ""},
		"MKI with a sign":     {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|-1:4", "", ""},
		"too many parts":      {"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^20|1:4|2:4", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := section(t, "crypto:"+c.value).Cryptos()
			if c.want == "" {
				if len(got) != 0 {
					t.Fatalf("read as %v", got[0].Key)
				}
				if why := section(t, "crypto:"+c.value).CryptoProblem(); why == "" || strings.Contains(why, k30[:8]) {
					t.Errorf("the reason is %q", why)
				}
				return
			}
			if len(got) != 1 || got[0].Key.Suite != c.want || fmt.Sprintf("%x", got[0].Key.MKI) != c.mki {
				t.Fatalf("got %v", got)
			}
			again := section(t, got[0].Attribute()).Cryptos()
			got[0].Key.MKI = nil
			if len(again) != 1 || again[0].Tag != got[0].Tag || !again[0].Key.Equal(got[0].Key) {
				t.Errorf("written as something else")
			}
		})
	}
}

func nine(key string) (s string) {
	for i := range 8 {
		s += fmt.Sprintf(";inline:%s|%d:1", key, i+1)
	}
	return s
}

func TestSeveralKeysOfALine(t *testing.T) {
	m := section(t, fmt.Sprintf("crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%s|2^20|1:4;inline:%s|2^20|2:4 UNENCRYPTED_SRTCP", secret(30, 1), secret(30, 2)))
	got := m.Cryptos()
	if len(got) != 1 || len(got[0].More) != 1 || got[0].Key.Master[0] != 1 || got[0].More[0].Master[0] != 2 ||
		fmt.Sprintf("%x", got[0].More[0].MKI) != "00000002" || !got[0].ClearRTCP {
		t.Fatalf("got %v", got)
	}
	if why := m.CryptoProblem(); why != "" {
		t.Error(why)
	}
	theirs, _, ok := sdp.SDES(m, section(t, "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+secret(30, 3)))
	if !ok || len(theirs) != 2 {
		t.Errorf("%v %v", theirs, ok)
	}
}

func TestOneTagTwiceIsNone(t *testing.T) {
	a, b := "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+secret(30, 1), "crypto:1 NONSENSE inline:x"
	if got := section(t, a, b).Cryptos(); len(got) != 0 {
		t.Errorf("took %v", got)
	}
}

func TestSDES(t *testing.T) {
	line := func(tag int, suite string, fill byte) string {
		n := 30
		if strings.HasPrefix(suite, "AEAD") {
			n = 28
		}
		return fmt.Sprintf("crypto:%d %s inline:%s", tag, suite, secret(n, fill))
	}
	const cm, cm32, gcm = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"
	for name, c := range map[string]struct {
		offer, answer []string
		keys          string // first octets of the offer's and the answer's key; "": none
	}{
		"one":               {[]string{line(1, cm, 1)}, []string{line(1, cm, 2)}, "1 2"},
		"second of three":   {[]string{line(1, gcm, 1), line(2, cm, 3), line(7, cm32, 4)}, []string{line(2, cm, 2)}, "3 2"},
		"first is unknown":  {[]string{"crypto:1 X inline:x", line(2, cm, 3)}, []string{line(2, cm, 2)}, "3 2"},
		"tag not offered":   {[]string{line(1, cm, 1)}, []string{line(2, cm, 2)}, ""},
		"another suite":     {[]string{line(1, cm, 1)}, []string{line(1, cm32, 2)}, ""},
		"two in the answer": {[]string{line(1, cm, 1), line(2, cm32, 1)}, []string{line(1, cm, 2), line(2, cm32, 2)}, ""},
		"none offered":      {nil, []string{line(1, cm, 2)}, ""},
		"none answered":     {[]string{line(1, cm, 1)}, nil, ""},
		"unusable answer":   {[]string{line(1, cm, 1)}, []string{line(1, cm, 2) + " KDR=1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			offer, answer := section(t, c.offer...), section(t, c.answer...)
			for _, swapped := range []bool{false, true} {
				o, a, ok := sdp.SDES(offer, answer)
				if swapped {
					a, o, ok = sdp.SDES(answer, offer)
				}
				got := ""
				if ok {
					got = fmt.Sprintf("%d %d", o[0].Master[0], a[0].Master[0])
				}
				if got != c.keys {
					t.Errorf("swapped %v: got %q, want %q", swapped, got, c.keys)
				}
			}
		})
	}
}

func TestKeysHideThemselves(t *testing.T) {
	c := section(t, "crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+secret(30, 'K')).Cryptos()[0]
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", c.Key, "value", *c.Key, "crypto", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", c.Key, "crypto", c)
	fmt.Fprintf(&log, "%v %+v %#v %s %x %v %+v", c.Key, c.Key, c.Key, c.Key, c.Key, *c.Key, c)
	for _, leak := range []string{"KKKK", "S0tL", "4b4b", "75 75"} {
		if strings.Contains(log.String(), leak) {
			t.Errorf("%q shows in %s", leak, log.String())
		}
	}
}

// FuzzCrypto holds: nothing panics, and what is usable can be written and read.
func FuzzCrypto(f *testing.F) {
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret(30, 1) + "|2^20|1:4 KDR=0 WSH=64")
	f.Add("1 AEAD_AES_256_GCM inline:" + secret(44, 1) + ";inline:x")
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:|||:")
	f.Fuzz(func(t *testing.T, v string) {
		if strings.ContainsAny(v, "\r\n") {
			return
		}
		m := section(t, "crypto:"+v)
		sdp.SDES(m, m)
		for _, c := range m.Cryptos() {
			again := section(t, c.Attribute()).Cryptos()
			if len(again) != 1 || again[0].Key.Suite != c.Key.Suite {
				t.Fatalf("%q is not read again", v)
			}
		}
	})
}
