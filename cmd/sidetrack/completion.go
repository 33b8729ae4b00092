package main

import (
	_ "embed"
	"fmt"
	"strings"
)

// The scripts ask the program itself for options and ids, so that they do not
// grow old; @COMMANDS@ is its commands.
var (
	//go:embed completion/bash
	completionBash string
	//go:embed completion/zsh
	completionZsh string
	//go:embed completion/fish
	completionFish string
)

func completion(args []string, std stdio) error {
	rest, err := parse(flags("completion"), args, std)
	if err != nil {
		return err
	}
	script := map[string]string{"bash": completionBash, "zsh": completionZsh, "fish": completionFish}[strings.Join(rest, " ")]
	if script == "" {
		return fmt.Errorf("which shell? Write bash, zsh or fish")
	}
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	fmt.Fprint(std.out, strings.ReplaceAll(script, "@COMMANDS@", strings.Join(names, " ")))
	return nil
}
