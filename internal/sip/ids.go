package sip

import (
	"crypto/rand"
	"encoding/base32"
)

// branchCookie marks a branch as unique by RFC 3261 §8.1.1.7.
const branchCookie = "z9hG4bK"

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewTag makes a From- or To-tag: 80 random bits, above the 32 that RFC 3261 §19.3 asks for, so that nobody guesses
// his way into a dialog.
func NewTag() string {
	id := randomID()
	return string(id[:])
}

// NewBranch makes a Via branch with the magic cookie of RFC 3261 §8.1.1.7 and 80 random bits.
func NewBranch() string {
	id := randomID()
	return branchCookie + string(id[:])
}

func randomID() (id [16]byte) {
	var raw [10]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process rather than return an error
	idEncoding.Encode(id[:], raw[:])
	return id
}
