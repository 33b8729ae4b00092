package b2bua

import (
	"strings"
	"testing"
	"time"
)

func TestReadDigit(t *testing.T) {
	for _, tt := range []struct {
		text string
		key  byte // 0: none
		ms   int
	}{
		{"Signal=5\r\nDuration=160\r\n", '5', 160},
		{"Signal= *\nDuration= 250", '*', 250},
		{"signal=11\r\nduration=abc\r\n", '#', 0},
		{"Duration=90\r\nSignal=10\r\n", '*', 90},
		{"d", 'D', 0},
		{" 7 \r\n", '7', 0},
		{"Signal=\r\nSignal=1\r\nSignal=2\r\n", '1', 0},
		{"Signal=01", 0, 0}, {"Signal=12", 0, 0}, {"hf", 0, 0}, {"", 0, 0}, {"=", 0, 0}, {"Signal=E", 0, 0}, {"Duration=100", 0, 0},
		{"Signal=9\r\nDuration=99999999\r\n", '9', 0},
	} {
		d, ok := readDigit(tt.text)
		if ok != (tt.key != 0) || ok && (d.Key != tt.key || d.Duration != time.Duration(tt.ms)*time.Millisecond) {
			t.Errorf("%q: %+v %v", tt.text, d, ok)
		}
	}
}

func FuzzReadDigit(f *testing.F) {
	for _, s := range []string{"Signal=5\r\nDuration=160\r\n", "11", "", "=\n=", "Signal=\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d, ok := readDigit(text); ok && (!strings.ContainsRune("0123456789*#ABCD", rune(d.Key)) || d.Duration < 0) {
			t.Errorf("%q: %+v", text, d)
		}
	})
}
