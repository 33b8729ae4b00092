package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker (-X main.release=v1.2.3 -X main.commit=0a1b2c3).
var (
	release = "devel"
	commit  = ""
)

// build returns version and commit of this binary.
func build() (string, string) {
	if commit != "" {
		return release, commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release, "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return release, s.Value
		}
	}
	return release, "unknown"
}

func version(args []string, std stdio) error {
	if err := options(flags("version"), args, std); err != nil {
		return err
	}
	v, commit := build()
	fmt.Fprintf(std.out, "sidetrack %s\ncommit %s\n%s %s/%s\n", v, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
