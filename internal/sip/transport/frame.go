package transport

import (
	"bytes"
	"errors"
	"strconv"
)

const (
	maxHead    = 64 << 10  // start line and header of a stream message
	maxMessage = 256 << 10 // the whole of it
	readChunk  = 4 << 10   // least room for one read
)

var (
	errNoLength  = errors.New("missing or bad Content-Length")
	errTooLarge  = errors.New("message too large")
	errNoBorders = errors.New("header without end")
)

// framer cuts a byte stream into messages by their Content-Length
// (RFC 3261 §18.3). It keeps its place between reads, so that a message that
// comes octet by octet costs no more than one that comes at once.
type framer struct {
	buf   []byte // unread input
	seen  int    // octets of buf searched for the end of the header
	total int    // length of the current message, 0 while unknown
	head  int    // length of its header, blank line included
	crlf  int    // line ends seen since the last message
}

// room returns where the next read goes.
func (f *framer) room() []byte {
	if cap(f.buf)-len(f.buf) < readChunk {
		grown := make([]byte, len(f.buf), max(2*cap(f.buf), 2*readChunk))
		copy(grown, f.buf)
		f.buf = grown
	}
	return f.buf[len(f.buf):cap(f.buf)]
}

// filled tells that n octets were read into room.
func (f *framer) filled(n int) { f.buf = f.buf[:len(f.buf)+n] }

// partial reports whether a message has begun.
func (f *framer) partial() bool { return len(f.buf) > 0 }

// next returns the next whole message, a fresh copy, or nil when more input is
// needed. ping is true when a double CRLF asked for a pong (RFC 5626 §3.5.1).
// With an error the borders are lost; msg then holds the header, if there is
// one, for an answer.
func (f *framer) next() (msg []byte, ping bool, err error) {
	if f.total == 0 {
		if ping = f.skipCRLF(); ping {
			return nil, true, nil
		}
		found, err := f.findHead()
		if err != nil || !found {
			return nil, false, err
		}
		if f.total, err = messageLength(f.buf[:f.head], f.head); err != nil {
			return bytes.Clone(f.buf[:f.head]), false, err
		}
	}
	if len(f.buf) < f.total {
		return nil, false, nil
	}
	msg = bytes.Clone(f.buf[:f.total])
	f.consume(f.total)
	f.total, f.crlf = 0, 0
	return msg, false, nil
}

func (f *framer) consume(n int) {
	rest := copy(f.buf, f.buf[n:])
	f.buf = f.buf[:rest]
	f.seen = 0
	if rest == 0 && cap(f.buf) > 8*readChunk {
		f.buf = nil // one large message must not cost its size for ever
	}
}

// skipCRLF removes line ends before a message and reports each second one.
func (f *framer) skipCRLF() bool {
	n := 0
	for n < len(f.buf) && (f.buf[n] == '\r' || f.buf[n] == '\n') {
		n++
		if f.buf[n-1] == '\n' {
			if f.crlf++; f.crlf == 2 {
				f.crlf = 0
				f.consume(n)
				return true
			}
		}
	}
	if n > 0 {
		f.consume(n)
	}
	return false
}

func (f *framer) findHead() (bool, error) {
	from := max(0, f.seen-3)
	i := bytes.Index(f.buf[from:], []byte("\r\n\r\n"))
	if i < 0 {
		f.seen = len(f.buf)
		if len(f.buf) > maxHead {
			return false, errNoBorders
		}
		return false, nil
	}
	f.head = from + i + 4
	if f.head > maxHead {
		return false, errTooLarge
	}
	return true, nil
}

// messageLength reads Content-Length. Two that differ are refused: whoever
// reads the other one would see other messages than we do.
func messageLength(head []byte, headLen int) (int, error) {
	length := -1
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		name = bytes.TrimRight(name, " \t")
		if !bytes.EqualFold(name, []byte("Content-Length")) && !bytes.EqualFold(name, []byte("l")) {
			continue
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 31)
		if err != nil || (length >= 0 && int(n) != length) {
			return 0, errNoLength
		}
		length = int(n)
	}
	if length < 0 {
		return 0, errNoLength
	}
	if headLen+length > maxMessage {
		return 0, errTooLarge
	}
	return headLen + length, nil
}
