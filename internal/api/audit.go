package api

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// Action is one control action as the audit log keeps it, refused ones included.
type Action struct {
	Time   time.Time       `json:"time"`
	Who    string          `json:"who"`              // Caller.Name, a party's address or an SRS; "" when nobody was known
	Role   string          `json:"role"`             // Caller.Role, or caller, callee, srs
	Source string          `json:"source"`           // address, or "socket"; of a party or an SRS: by what it came, such as keys or INFO
	Action string          `json:"action"`           // operation of openapi.yaml
	Target string          `json:"target"`           // path asked for, or of the recording, else the call
	Call   string          `json:"call,omitempty"`   // id of the call, where a party or an SRS has acted
	Body   json.RawMessage `json:"body,omitempty"`   // what was asked, where it is JSON and short
	Status int             `json:"status"`           // of the answer
	Detail string          `json:"detail,omitempty"` // why it was refused
}

const auditedBody = 2 << 10

// Audit writes actions to a file, one JSON object per line. The file is opened
// for each, so that it may be moved away at any time.
type Audit struct {
	file string
	mu   sync.Mutex
}

// OpenAudit checks that file can be written, and makes it with mode 0600 when
// it is not there. The error is one line that names it.
func OpenAudit(file string) (*Audit, error) {
	a := &Audit{file: file}
	return a, a.append(nil)
}

// Write adds a line. It is called after an action was answered, on the asker's
// own goroutine or that of who tells of others.
func (a *Audit) Write(act Action) error {
	line, err := json.Marshal(act)
	if err != nil {
		return fmt.Errorf("encoding an audit line: %w", err)
	}
	return a.append(append(line, '\n'))
}

func (a *Audit) append(line []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	f, err := os.OpenFile(a.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
