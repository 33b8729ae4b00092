//go:build !unix

package webhook

import "os"

// flock has nothing to offer here: one proxy per folder is the operator's care.
func flock(*os.File) error { return nil }
