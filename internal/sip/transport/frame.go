package transport

import (
	"bytes"
	"errors"
	"strconv"

	"sidetrack/internal/sip"
)

const (
	maxHead    = 64 << 10                 // start line and header of a stream message
	maxMessage = maxHead + sip.MaxMessage // the whole of it: what is too large for the parser is answered, and the connection goes on
	readChunk  = 4 << 10                  // least room for one read
	keptRoom   = 8 * readChunk            // more is given back when what needed it has passed
)

var (
	errNoLength  = errors.New("missing or bad Content-Length")
	errTooLarge  = errors.New("message too large")
	errNoBorders = errors.New("header without end")
)

// framer cuts a byte stream into messages by their Content-Length
// (RFC 3261 §18.3). It keeps its place between reads, so that a message that
// comes octet by octet costs no more than one that comes at once, and what it
// costs to cut a stream grows with the stream alone, whatever stands in it.
type framer struct {
	buf   []byte
	start int // what stands before is cut off already
	seen  int // unread octets searched for the end of the header
	total int // length of the current message, 0 while unknown
	head  int // length of its header, blank line included
	crlf  int // line ends seen since the last message
}

// unread is what has been read and not been cut off.
func (f *framer) unread() []byte { return f.buf[f.start:] }

// room returns where the next read goes. Only here octets move: to the front
// once at least as many have been cut off as are left, or to a buffer that is
// larger than they need, so that each moves a bounded number of times.
func (f *framer) room() []byte {
	n := len(f.unread())
	switch {
	case cap(f.buf) > keptRoom && n <= readChunk: // one large message must not cost its size for ever
		f.move(make([]byte, 2*readChunk))
	case cap(f.buf)-len(f.buf) >= readChunk:
	case f.start >= n && cap(f.buf)-n >= readChunk:
		f.move(f.buf[:cap(f.buf)])
	default:
		f.move(make([]byte, max(2*readChunk, min(2*n, maxMessage)+readChunk)))
	}
	return f.buf[len(f.buf):cap(f.buf)]
}

func (f *framer) move(to []byte) {
	f.buf, f.start = to[:copy(to, f.unread())], 0
}

// filled tells that n octets were read into room.
func (f *framer) filled(n int) { f.buf = f.buf[:len(f.buf)+n] }

// partial reports whether a message has begun.
func (f *framer) partial() bool { return len(f.unread()) > 0 }

// next returns the next whole message, a fresh copy, or nil when more input is
// needed. ping is true when a double CRLF before it asked for a pong
// (RFC 5626 §3.5.1); for several one is enough. With an error the borders are
// lost; msg then holds the header, if there is one, for an answer.
func (f *framer) next() (msg []byte, ping bool, err error) {
	if f.total == 0 {
		ping = f.skipCRLF()
		found, err := f.findHead()
		if err != nil || !found {
			return nil, ping, err
		}
		head := f.unread()[:f.head]
		if f.total, err = messageLength(head); err != nil {
			return bytes.Clone(head), ping, err
		}
	}
	if len(f.unread()) < f.total {
		return nil, ping, nil
	}
	msg = bytes.Clone(f.unread()[:f.total])
	f.consume(f.total)
	f.total, f.crlf = 0, 0
	return msg, ping, nil
}

// consume cuts n octets off.
func (f *framer) consume(n int) {
	f.start += n
	f.seen = 0
	if f.start < len(f.buf) {
		return
	}
	f.buf, f.start = f.buf[:0], 0
	if cap(f.buf) > keptRoom {
		f.buf = nil
	}
}

// skipCRLF removes line ends before a message and reports whether there was a
// second one in a row.
func (f *framer) skipCRLF() (ping bool) {
	n := 0
	for _, c := range f.unread() {
		if c != '\r' && c != '\n' {
			break
		}
		n++
		if c == '\n' {
			if f.crlf++; f.crlf == 2 {
				f.crlf, ping = 0, true
			}
		}
	}
	if n > 0 {
		f.consume(n)
	}
	return ping
}

func (f *framer) findHead() (bool, error) {
	from, b := max(0, f.seen-3), f.unread()
	i := bytes.Index(b[from:], []byte("\r\n\r\n"))
	if i < 0 {
		f.seen = len(b)
		if len(b) > maxHead {
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

// messageLength is that of a message with this header, by Content-Length. Two that differ are refused: whoever
// reads the other one would see other messages than we do.
func messageLength(head []byte) (int, error) {
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
	if len(head)+length > maxMessage {
		return 0, errTooLarge
	}
	return len(head) + length, nil
}
