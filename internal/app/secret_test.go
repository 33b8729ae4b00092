package app

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestMachineSecret(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	id := "0123456789abcdef0123456789abcdef\n"
	one, same, other := machineSecret(write("a", id)), machineSecret(write("b", id)), machineSecret(write("c", "f"+id))
	if len(one) != 32 || !bytes.Equal(one, same) || bytes.Equal(one, other) {
		t.Errorf("keys %x, %x, %x", one, same, other)
	}
	for _, file := range []string{write("empty", ""), write("unset", "uninitialized\n"), filepath.Join(dir, "none")} {
		if got := machineSecret(file); got != nil {
			t.Errorf("%s: %x", file, got)
		}
	}
}
