package b2bua

import (
	"bytes"
	"encoding/base64"
	"testing"

	"sidetrack/internal/sdp"
	"sidetrack/policy"
)

// Our keys stay for who changes either his key or his o=, and are new for who is another device; an answer means the keys
// of the offer.
func TestKeysOfAKeyring(t *testing.T) {
	r := &keyring{}
	r.meet(device{"alice 1", "k1"})
	first := r.of(device{"alice 1", "k1"})
	for _, same := range []device{{"alice 1", "k1"}, {"alice 1", "k2"}, {"alice 2", "k2"}} {
		if r.meet(same); r.of(same) != first {
			t.Errorf("%v has other keys", same)
		}
	}
	other := device{"bob 7", "k7"}
	r.meet(other)
	second := r.of(other)
	if second == first || second == nil {
		t.Error("another device has the keys of the first")
	}
	if r.offer(other, false) != second {
		t.Error("an offer has other keys than those that its receiver knows")
	}
	third := device{"carol 3", "k3"}
	if !r.answered(third) || r.of(third) != second {
		t.Error("who answers has not the keys of the offer, or was there before")
	}
	r.offered = &ownKeys{}
	renewed := r.offer(third, true)
	if renewed == second || r.answered(third) || r.of(third) != renewed || r.of(other) != second {
		t.Error("new keys are not those of who has answered to them, or of somebody else, too")
	}
	for n := range 3 * maxAcquaintances {
		r.meet(device{string(rune('a' + n)), "k" + string(rune('a'+n))})
	}
	if len(r.known) != maxAcquaintances {
		t.Errorf("%d are known", len(r.known))
	}
}

// An answer bears the keys that the device knows us by to which it goes, whoever has spoken since.
func TestKeysOfAnAnswer(t *testing.T) {
	k := &security{rule: &policy.SRTP{}, taken: defaultTaken, rings: map[ownSection]*keyring{}}
	offer := func(session, key string) *sdp.Session {
		d, err := sdp.Parse([]byte("v=0\r\no=- " + session + " 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n" +
			"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte(key), 30)) + "\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := k.takesOffer(sideB, d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	alice := offer("1", "a")
	first := k.own(sideB, 0, alice)
	bob := offer("2", "b")
	second := k.own(sideB, 0, bob)
	if first == nil || second == nil || first == second {
		t.Error("another device is answered with the keys of the first")
	}
	if k.own(sideB, 0, alice) != first || k.own(sideB, 0, offer("1", "c")) != first || k.own(sideB, 0, bob) != second {
		t.Error("the answer to one who is known has other keys")
	}
}
