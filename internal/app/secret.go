package app

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"os"
)

// machineSecret is a key of this program on this host that outlives the
// process. A machine-id must not be shown to peers itself; a key made with it may
// be used (machine-id(5)). Nil where there is none, as in many containers.
func machineSecret(file string) []byte {
	id, err := os.ReadFile(file)
	if id = bytes.TrimSpace(id); err != nil || len(id) < 16 {
		return nil
	}
	mac := hmac.New(sha256.New, id)
	mac.Write([]byte("sidetrack registrations"))
	return mac.Sum(nil)
}
