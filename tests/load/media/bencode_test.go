//go:build linux

package main

import (
	"reflect"
	"testing"
)

func TestBencode(t *testing.T) {
	if got := string(bencode("command", "ping", "sdp", "a\r\nb")); got != "d7:command4:ping3:sdp4:a\r\nbe" {
		t.Errorf("%q", got)
	}
	got, err := bdecode("d6:result2:ok3:agei-3e4:listl1:a2:bbee")
	if want := map[string]any{"result": "ok", "age": -3, "list": []any{"a", "bb"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"", "i3e", "d", "d3:ab", "d1:a", "d9999999999999999999:a", "li3", "x"} {
		if got, err := bdecode(bad); err == nil {
			t.Errorf("%q became %v", bad, got)
		}
	}
}
