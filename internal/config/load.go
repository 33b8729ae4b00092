package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
)

// Options are what reading a configuration takes from its surroundings.
type Options struct {
	// Env gives the values of ${NAME}. Nil: no variable is set.
	Env func(string) (string, bool)
	// Addresses gives the addresses of this host that others may reach, best
	// first. Nil: HostAddresses.
	Addresses func() []netip.Addr
}

// Load reads the file and returns either a valid Config or all the mistakes
// that were found in it. env gives the values of ${NAME}; os.LookupEnv fits.
// Files that the configuration names are looked for beside it.
func Load(path string, env func(string) (string, bool)) (*Config, Problems) {
	return LoadWith(path, Options{Env: env})
}

// LoadWith is Load with other surroundings.
func LoadWith(path string, opt Options) (*Config, Problems) {
	data, err := os.ReadFile(path)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, Problems{{File: path, Text: fmt.Sprintf("cannot be read: %v", err)}}
	}
	return Parse(path, data, opt)
}

// Parse is LoadWith for a file that has been read already; path is for
// messages, and for finding the files that it names.
func Parse(path string, data []byte, opt Options) (*Config, Problems) {
	d := newDecoder(path, opt)
	return d.decode(data)
}
