package config

import (
	"io"
)

// Load reads the file and returns either a valid Config or all the mistakes
// that were found in it. env gives the values of ${NAME}; os.LookupEnv fits.
func Load(path string, env func(string) (string, bool)) (*Config, Problems) {
	return nil, Problems{{File: path, Text: "not read"}}
}

// Describe prints what would happen with this configuration, for people.
func (c *Config) Describe(w io.Writer) {}
