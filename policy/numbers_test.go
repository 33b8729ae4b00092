package policy_test

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sidetrack/policy"
)

func numbers(t testing.TB, text string) *policy.Numbers {
	t.Helper()
	set, err := policy.ParseNumbers([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return policy.NewNumbers("test", set)
}

func TestNumbers(t *testing.T) {
	list := numbers(t, `# the board
+49 (30) 1234-56
0044/20.7946   # London, as the PBX dials it
+1555*
030
alice
bob@example.com
`)
	for address, want := range map[policy.Address]bool{
		{User: "+493012 3456"}:                        false, // a blank is no separator in a URI
		{User: "+49301234-56"}:                        true,
		{User: "4930123456"}:                          true,
		{User: "+49301234567"}:                        false, // longer
		{User: "+4930123456;phone-context=x"}:         true,
		{User: "0044207946"}:                          true,
		{User: "44207946"}:                            false, // 00 is not +
		{User: "+15550001"}:                           true,
		{User: "1555"}:                                true,
		{User: "155"}:                                 false,
		{User: "030"}:                                 true,
		{User: "30"}:                                  false, // a zero in front counts
		{User: "alice", Host: "anywhere"}:             true,
		{User: "Alice"}:                               false, // users are told apart by case, RFC 3261 §19.1.4
		{User: "bob", Host: "example.com"}:            true,
		{User: "bob", Host: "example.org"}:            false,
		{URI: "tel:+49-30-123456;phone-context=a"}:    true,
		{URI: "sip:192.0.2.1"}:                        false,
		{}:                                            false,
		{User: strings.Repeat("1", 40)}:               false,
		{User: "+15551234567890123456789"}:            false, // no number any more
		{User: "alice", URI: "sip:alice@x", Host: ""}: true,
	} {
		if got := list.Has(address); got != want {
			t.Errorf("Has(%+v) = %v, want %v", address, got, want)
		}
	}
	if list.Len() != 6 {
		t.Errorf("%d entries, want 6", list.Len())
	}
}

func TestNumbersRefuse(t *testing.T) {
	for text, want := range map[string]string{
		"1\n2\n<sip:a@b>\n": `line 3: "<sip:a@b>" is no number, user or user@host; write +49301234, +4930*, alice or alice@example.com`,
		"*":                 `line 1: "*" is no number, user or user@host; write +49301234, +4930*, alice or alice@example.com`,
		"1\x002":            `line 1: "1\x002" is no number, user or user@host; write +49301234, +4930*, alice or alice@example.com`,
		"\xff\xfe1\x00":     `line 1: "\xff\xfe1\x00" is no number, user or user@host; write +49301234, +4930*, alice or alice@example.com`,
		"+49301234,Alice":   `line 1: "+49301234,Alice" is no number, user or user@host; write +49301234, +4930*, alice or alice@example.com`,
		"al*":               `line 1: "al*" is no number, user or user@host; write +49301234, +4930*, alice or alice@example.com`,
	} {
		if _, err := policy.ParseNumbers([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

// A file of a spreadsheet begins with a mark, and whoever writes his number in another way is on the list all the same.
func TestNumbersInOtherForms(t *testing.T) {
	list := numbers(t, "\uFEFF+49301234\r\nalice\r\n+4989*\r\n")
	for _, user := range []string{"+49301234", "4930123%34", "%2b49301234", "%61lice", "4989%31"} {
		if !list.Has(policy.Address{User: user}) {
			t.Errorf("%s is not on the list", user)
		}
	}
	if list.Len() != 3 || list.Has(policy.Address{User: "4930123%35"}) || list.Has(policy.Address{User: "4930123%3"}) {
		t.Errorf("%d entries", list.Len())
	}
}

// Of a million numbers each is found, and its neighbour is not.
func TestMillionNumbers(t *testing.T) {
	var text strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "+49%09d\n", i*2)
	}
	list := numbers(t, text.String())
	if list.Len() != 1_000_000 {
		t.Fatalf("%d entries", list.Len())
	}
	for i := 0; i < 1_000_000; i += 997 {
		on, off := policy.Address{User: fmt.Sprintf("+49%09d", i*2)}, policy.Address{User: fmt.Sprintf("49%09d", i*2+1)}
		if !list.Has(on) || list.Has(off) {
			t.Fatalf("%d: on the list %v, its neighbour %v", i, list.Has(on), list.Has(off))
		}
	}
}

func TestReplacedNumbers(t *testing.T) {
	list := numbers(t, "1")
	set, err := policy.ParseNumbers([]byte("2"))
	if err != nil {
		t.Fatal(err)
	}
	list.Replace(set)
	if list.Has(policy.Address{User: "1"}) || !list.Has(policy.Address{User: "2"}) {
		t.Error("the old list is still asked")
	}
	var none policy.Numbers
	if none.Has(policy.Address{User: "1"}) || none.Len() != 0 {
		t.Error("an empty list has somebody on it")
	}
}

// Whatever is taken finds itself again, as it was written.
func FuzzParseNumbers(f *testing.F) {
	for _, s := range []string{"+49 30 1234", "alice\nbob@x", "+4930*", "#", "1;2", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := policy.ParseNumbers([]byte(text))
		if err != nil {
			return
		}
		list := policy.NewNumbers("", set)
		entries := strings.Split(strings.TrimPrefix(text, "\uFEFF"), "\n")
		if slices.ContainsFunc(entries, func(e string) bool { return strings.Contains(e, "*") }) {
			return
		}
		for _, e := range entries {
			e, _, _ = strings.Cut(e, "#")
			if e = strings.TrimSpace(e); e == "" {
				continue
			}
			user, host, _ := strings.Cut(e, "@")
			user = strings.NewReplacer(" ", "").Replace(user)
			if strings.Contains(user, "/") || strings.Contains(host, "@") {
				continue // written for people only
			}
			if !list.Has(policy.Address{User: user, Host: host}) {
				t.Errorf("%q is on the list and is not found", e)
			}
		}
	})
}

// million is a list of as many numbers, in no order.
func million() []byte {
	var text bytes.Buffer
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "+49%09d\n", i*7_654_321%1_000_000*2)
	}
	return text.Bytes()
}

// What a list of a million numbers costs a rule that asks for it.
func BenchmarkNumbers(b *testing.B) {
	list := numbers(b, string(million()))
	on, off := policy.Address{User: "+49000001234", Host: "example.com"}, policy.Address{User: "+49000001235", Host: "example.com"}
	for name, a := range map[string]policy.Address{"on": on, "off": off} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				list.Has(a)
			}
		})
	}
}

// What reading such a list costs, at the start and whenever its file has changed, and what is kept of it.
func BenchmarkParseNumbers(b *testing.B) {
	text := million()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept, err := policy.ParseNumbers(text)
	if err != nil || kept.Len() != 1_000_000 {
		b.Fatal(kept.Len(), err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := policy.ParseNumbers(text); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB-kept")
	runtime.KeepAlive(kept)
}
