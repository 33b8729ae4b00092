package trace

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"
)

const (
	packEach = 2 * time.Second // between looks for what can be packed
	packCalm = 2 * time.Second // of silence, after which a dialog is: most of a call's messages come at once
	packOver = 48              // of a pack in memory, beyond its bytes
)

// pack is messages of a dialog, compressed: the messages of one dialog are much
// alike, so that a third of their size is left.
type pack struct {
	n    int    // messages
	data []byte // never changed
}

func (p pack) cost() int64 { return int64(cap(p.data)) + packOver }

// Run packs what dialogs have said that are silent now, until ctx is done. No
// message waits for that.
func (t *Tracer) Run(ctx context.Context) {
	tick := time.NewTicker(packEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.pack(t.now().Add(-packCalm))
		}
	}
}

// pack packs what dialogs have said that were silent since then.
func (t *Tracer) pack(since time.Time) {
	var plain, packed []byte
	for i := range t.shards {
		s := &t.shards[i]
		for _, d := range s.loose(since) {
			s.mu.Lock()
			said, leftOut := slices.Clone(d.messages), d.leftOut
			s.mu.Unlock()
			plain = plain[:0]
			for _, m := range said {
				plain = m.append(plain)
			}
			packed = s2.Encode(packed[:cap(packed)], plain)
			s.replace(d, said, leftOut, pack{len(said), append(make([]byte, 0, len(packed)), packed...)})
		}
	}
}

// loose is the dialogs with messages that are not packed and that were silent
// since then. In each list they are behind those that are packed, for they have spoken later.
func (s *shard) loose(since time.Time) []*dialog {
	var all []*dialog
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lists() {
		for e := l.Back(); e != nil; e = e.Prev() {
			d := e.Value.(*dialog)
			if len(d.messages) == 0 {
				break
			}
			if d.last.Before(since) {
				all = append(all, d)
			}
		}
	}
	return all
}

// replace puts a pack where those messages were, unless the dialog has been
// forgotten or thinned out by now.
func (s *shard) replace(d *dialog, said []Message, leftOut int, p pack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dialogs[d.callID] != d || d.leftOut != leftOut || len(said) == 0 || &d.messages[0].Data[0] != &said[0].Data[0] {
		return
	}
	for _, m := range said {
		d.grow(s, -m.cost())
	}
	d.grow(s, p.cost())
	d.messages = append([]Message(nil), d.messages[len(said):]...)
	d.packs = append(d.packs, p)
}

// unpack puts the messages of a dialog's packs before the others again.
func (s *shard) unpack(d *dialog) {
	if len(d.packs) == 0 {
		return
	}
	for _, p := range d.packs {
		d.grow(s, -p.cost())
	}
	all := unpacked(d.packs)
	for _, m := range all {
		d.grow(s, m.cost())
	}
	d.messages, d.packs = append(all, d.messages...), nil
}

func unpacked(packs []pack) []Message {
	var all []Message
	for _, p := range packs {
		plain, err := s2.Decode(nil, p.data)
		if err != nil {
			panic(fmt.Sprintf("what was packed here cannot be read: %v", err)) // memory is broken
		}
		for range p.n {
			var m Message
			m, plain = take(plain)
			all = append(all, m)
		}
	}
	return all
}

// append writes a message in the form that take reads.
func (m Message) append(b []byte) []byte {
	b = binary.AppendVarint(b, m.Time.UnixNano())
	b = append(b, 0)
	if m.Received {
		b[len(b)-1] = 1
	}
	b = appendText(b, m.Proto)
	for _, a := range [...]netip.AddrPort{m.Local, m.Remote} {
		at := len(b)
		b = append(b, 0)
		b, _ = a.AppendBinary(b) // it has no error
		b[at] = byte(len(b) - at - 1)
	}
	return appendText(b, m.Data)
}

func appendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// take reads the first message of b. Its data stay a part of b.
func take(b []byte) (m Message, rest []byte) {
	at, n := binary.Varint(b)
	m.Time, m.Received = time.Unix(0, at), b[n] == 1
	proto, b := takeText(b[n+1:])
	m.Proto = string(proto)
	for _, a := range [...]*netip.AddrPort{&m.Local, &m.Remote} {
		_ = a.UnmarshalBinary(b[1 : 1+b[0]]) // append has written it
		b = b[1+b[0]:]
	}
	m.Data, b = takeText(b)
	return m, b
}

func takeText(b []byte) (text, rest []byte) {
	size, n := binary.Uvarint(b)
	end := n + int(size)
	return b[n:end:end], b[end:]
}
