package pcap

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what is put together again.
const (
	maxFragments = 256
	maxStreams   = 4096
	maxStream    = 1 << 20 // bytes of one direction of a connection that wait for a whole message
	maxPending   = 32      // segments that wait for one before them: then the capture has lost that
	maxLine      = 8 << 10 // of a first line
)

// flows puts fragments and TCP segments together and finds the SIP messages.
type flows struct {
	wanted  func(firstLine string) bool
	each    func(Message)
	seen    int // packets
	parts   map[fragmentKey]*fragments
	streams map[streamKey]*stream
}

type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	proto    byte
}

// fragments of one IPv4 datagram, in the order of their offsets.
type fragments struct {
	pieces map[int][]byte
	total  int // 0 until the last one is there
}

type streamKey struct{ src, dst netip.AddrPort }

// stream is one direction of a TCP connection.
type stream struct {
	next    uint32
	begun   bool
	data    []byte
	pending map[uint32][]byte
}

func newFlows(wanted func(string) bool, each func(Message)) *flows {
	return &flows{wanted: wanted, each: each, parts: map[fragmentKey]*fragments{}, streams: map[streamKey]*stream{}}
}

func (f *flows) packet(link uint32, b []byte) {
	f.seen++
	ip := network(link, b)
	switch {
	case len(ip) >= 20 && ip[0]>>4 == 4:
		f.ipv4(ip)
	case len(ip) >= 40 && ip[0]>>4 == 6:
		src, _ := netip.AddrFromSlice(ip[8:24])
		dst, _ := netip.AddrFromSlice(ip[24:40])
		n := min(int(binary.BigEndian.Uint16(ip[4:])), len(ip)-40)
		f.transport(ip[6], src, dst, ip[40:40+n])
	}
}

func (f *flows) ipv4(ip []byte) {
	head := int(ip[0]&15) * 4
	size := int(binary.BigEndian.Uint16(ip[2:]))
	if head < 20 || size < head || head > len(ip) {
		return
	}
	size = min(size, len(ip))
	src, _ := netip.AddrFromSlice(ip[12:16])
	dst, _ := netip.AddrFromSlice(ip[16:20])
	flags := binary.BigEndian.Uint16(ip[6:])
	payload := ip[head:size]
	if more, offset := flags&0x2000 != 0, int(flags&0x1fff)*8; more || offset > 0 {
		if payload = f.fragment(fragmentKey{src, dst, uint32(binary.BigEndian.Uint16(ip[4:])), ip[9]}, offset, more, payload); payload == nil {
			return
		}
	}
	f.transport(ip[9], src, dst, payload)
}

// fragment adds a piece of a datagram and gives the whole once it is there.
func (f *flows) fragment(key fragmentKey, offset int, more bool, piece []byte) []byte {
	p := f.parts[key]
	if p == nil {
		if len(f.parts) >= maxFragments {
			clear(f.parts)
		}
		p = &fragments{pieces: map[int][]byte{}}
		f.parts[key] = p
	}
	p.pieces[offset] = piece
	if !more {
		p.total = offset + len(piece)
	}
	if p.total == 0 || len(p.pieces) > maxFragments {
		return nil
	}
	var whole []byte
	for len(whole) < p.total {
		piece, ok := p.pieces[len(whole)]
		if !ok || len(piece) == 0 {
			return nil
		}
		whole = append(whole, piece...)
	}
	delete(f.parts, key)
	return whole
}

func (f *flows) transport(proto byte, src, dst netip.Addr, b []byte) {
	switch {
	case proto == 17 && len(b) >= 8:
		f.message(b[8:], "udp", ports(src, dst, b))
	case proto == 6 && len(b) >= 20:
		head := int(b[12]>>4) * 4
		if head < 20 || head > len(b) {
			return
		}
		f.segment(ports(src, dst, b), binary.BigEndian.Uint32(b[4:]), b[13]&2 != 0, b[head:])
	}
}

// ports reads those of a UDP or TCP header.
func ports(src, dst netip.Addr, b []byte) streamKey {
	return streamKey{netip.AddrPortFrom(src, binary.BigEndian.Uint16(b)), netip.AddrPortFrom(dst, binary.BigEndian.Uint16(b[2:]))}
}

// message passes one on.
func (f *flows) message(raw []byte, proto string, way streamKey) {
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	if f.wanted(string(line)) {
		f.each(Message{Data: bytes.Clone(raw), Proto: proto, From: way.src, To: way.dst, Packet: f.seen})
	}
}

// segment puts one into its place in the stream and takes out the messages that are whole.
func (f *flows) segment(key streamKey, seq uint32, syn bool, b []byte) {
	s := f.streams[key]
	if s == nil || syn {
		if len(f.streams) >= maxStreams {
			clear(f.streams)
		}
		s = &stream{pending: map[uint32][]byte{}}
		f.streams[key] = s
	}
	if syn {
		s.next, s.begun = seq+1, true
		return
	}
	if !s.begun { // the capture began within the connection
		s.next, s.begun = seq, true
	}
	if len(b) == 0 {
		return
	}
	s.add(seq, b)
	f.take(key, s)
	if len(s.pending) > maxPending {
		s.skip()
		f.take(key, s)
	}
}

// add puts a piece into its place, and what is in order by it to data.
func (s *stream) add(seq uint32, b []byte) {
	if late := s.next - seq; late > 0 && late < 1<<31 { // repeated, in part or whole
		if uint64(late) >= uint64(len(b)) {
			return
		}
		b, seq = b[late:], s.next
	}
	if len(s.pending[seq]) < len(b) {
		s.pending[seq] = b
	}
	for piece, ok := s.pending[s.next]; ok; piece, ok = s.pending[s.next] {
		delete(s.pending, s.next)
		s.data = append(s.data, piece...)
		s.next += uint32(len(piece))
	}
}

// skip goes on behind what the capture has lost. The message that lies there is gone.
func (s *stream) skip() {
	first, found := uint32(0), false
	for seq := range s.pending {
		if ahead := seq - s.next; ahead < 1<<31 && (!found || ahead < first) {
			first, found = ahead, true
		}
	}
	waiting := s.pending
	s.pending, s.data = map[uint32][]byte{}, nil
	if !found {
		return
	}
	s.next += first
	for seq, b := range waiting {
		s.add(seq, b)
	}
}

// take takes the whole messages off the front of a stream.
func (f *flows) take(key streamKey, s *stream) {
	for {
		s.data = message(s.data)
		head := bytes.Index(s.data, []byte("\r\n\r\n"))
		if head < 0 {
			break
		}
		end := head + 4 + contentLength(s.data[:head])
		if end > len(s.data) {
			break
		}
		f.message(s.data[:end], "tcp", key)
		s.data = s.data[end:]
	}
	if len(s.data) > maxStream {
		s.data = nil
	}
}

// message is b from the first line of a SIP message on, or from what may become
// one: a capture may begin within a message, or lack a part of one.
func message(b []byte) []byte {
	for {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		switch {
		case bytes.HasPrefix(line, []byte("SIP/2.0 ")), whole && bytes.HasSuffix(line, []byte(" SIP/2.0")):
			return b
		case !whole && len(line) > maxLine:
			return nil
		case !whole:
			return b
		}
		b = rest
	}
}

// finish passes on what lies behind the last losses, and what was cut off at the end
// of the capture, as it is.
func (f *flows) finish() {
	keys := slices.SortedFunc(maps.Keys(f.streams), func(a, b streamKey) int {
		return cmp.Or(a.src.Compare(b.src), a.dst.Compare(b.dst))
	})
	for _, key := range keys {
		s := f.streams[key]
		for len(s.pending) > 0 {
			s.skip()
			f.take(key, s)
		}
		if bytes.Contains(s.data, []byte("\r\n\r\n")) {
			f.message(s.data, "tcp", key)
		}
	}
}

func contentLength(head []byte) int {
	for l := range strings.SplitSeq(string(head), "\r\n") {
		name, value, _ := strings.Cut(l, ":")
		if n := strings.ToLower(strings.TrimSpace(name)); n == "content-length" || n == "l" {
			if size, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && size >= 0 && size <= maxStream {
				return size
			}
		}
	}
	return 0
}
