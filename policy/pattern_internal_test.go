package policy

import (
	"regexp"
	"testing"
)

var patterns = []string{
	"", "abc", "^abc", "abc$", "^abc$", "^", "$", "^$", `^sip:\+1555`, `@10\.`, "bob|dave", "^bob|dave$", "(bob)", "^(bob)$",
	"(?i)abc", "(?m)^abc$", "408|487", `\d{3}@10\.7`, `@example\.(com|net)$`, "(abc)+", "(abc)*", "a.c", "[a", "\uFFFD", "a\uFFFD",
	`\babc`, "abc|", `\x00`, `(?s).abc`, `abc??`, `(abc){2}`,
}

var texts = []string{"", "abc", "xabcx", "abcabc", "ABC", "x\nabc\n", "sip:+1555@10.1.1.1", "bob", "dave", "408", "487", "123@10.7",
	"a@example.net", "a\xffc", "a\uFFFD", "\xff", "\x00"}

func same(t *testing.T, pattern, text string) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return
	}
	if got, want := matcher(re)(text), re.MatchString(text); got != want {
		t.Errorf("%q matches %q: %v, the regular expression says %v", pattern, text, got, want)
	}
}

func TestMatcherAnswersLikeRegexp(t *testing.T) {
	for _, p := range patterns {
		for _, s := range texts {
			same(t, p, s)
		}
	}
}

func FuzzMatcher(f *testing.F) {
	for i, p := range patterns {
		f.Add(p, texts[i%len(texts)])
	}
	f.Fuzz(same)
}
