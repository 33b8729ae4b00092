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
	packMany = 16              // messages that are not: more of them are packed in any case
	packOver = 56              // of a pack in memory, beyond its bytes
	dictSize = 16 << 10        // of text that others are compared with
	dictTime = time.Hour       // for which it stays the same: what calls say changes with their seasons
)

// pack is messages of a dialog, compressed: the messages of one dialog are much
// alike, and so are those of all dialogs of one place. A fifth of their size is left.
type pack struct {
	n    int      // messages
	by   *s2.Dict // what other dialogs said; nil: it was packed before there was any
	data []byte   // never changed
}

// squeeze is plain compressed, in scratch if that has room.
func squeeze(by *s2.Dict, scratch, plain []byte) []byte {
	if by == nil {
		return s2.Encode(scratch[:cap(scratch)], plain)
	}
	return by.Encode(scratch[:cap(scratch)], plain)
}

func (p pack) plain() ([]byte, error) {
	if p.by == nil {
		return s2.Decode(nil, p.data)
	}
	return p.by.Decode(nil, p.data)
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
	if t.dict != nil && t.now().Sub(t.learned) > dictTime {
		t.dict = nil
	}
	before := t.seen
	t.seen = since
	for i := range t.shards {
		s := &t.shards[i]
		for _, d := range s.loose(since, before) {
			s.mu.Lock()
			said, leftOut, typical := slices.Clone(d.said), d.leftOut, d.taken
			s.mu.Unlock()
			plain = plain[:0]
			for _, m := range said {
				plain = append(plain, m...)
			}
			packed = squeeze(t.dict, packed, plain)
			s.replace(d, said, leftOut, pack{len(said), t.dict, append(make([]byte, 0, len(packed)), packed...)})
			if t.dict == nil && typical {
				t.learn(plain)
			}
		}
	}
}

// learn has plain in what later packs are made with, once it is enough.
func (t *Tracer) learn(plain []byte) {
	t.sample = append(t.sample, plain[:min(len(plain), dictSize-len(t.sample))]...)
	if len(t.sample) == dictSize {
		t.dict, t.learned, t.sample = s2.MakeDict(t.sample, nil), t.now(), nil
	}
}

// loose is the dialogs that were silent since then and have messages that are
// not packed, or that have many of them. In each list they are behind those that
// are packed, for they have spoken later; but one that says much may be packed
// as soon as it has, and others that spoke before it are not: only what had been silent by the
// time of the look before needs none.
func (s *shard) loose(since, before time.Time) []*dialog {
	var all []*dialog
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lists() {
		for e := l.Back(); e != nil; e = e.Prev() {
			d := e.Value.(*dialog)
			if len(d.said) == 0 {
				if d.last.Before(before) {
					break
				}
				continue
			}
			if d.last.Before(since) || len(d.said) >= packMany {
				all = append(all, d)
			}
		}
	}
	return all
}

// replace puts a pack where those messages were, unless the dialog has been
// forgotten or thinned out by now.
func (s *shard) replace(d *dialog, said [][]byte, leftOut int, p pack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dialogs[d.callID] != d || d.leftOut != leftOut || len(said) == 0 || &d.said[0][0] != &said[0][0] {
		return
	}
	for _, m := range said {
		d.grow(s, -cost(m))
	}
	d.grow(s, p.cost())
	d.said = append([][]byte(nil), d.said[len(said):]...)
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
		d.grow(s, cost(m))
	}
	d.said, d.packs = append(all, d.said...), nil
}

func unpacked(packs []pack) [][]byte {
	var all [][]byte
	for _, p := range packs {
		plain, err := p.plain()
		if err != nil {
			panic(fmt.Sprintf("what was packed here cannot be read: %v", err)) // memory is broken
		}
		for range p.n {
			_, rest := read(plain)
			n := len(plain) - len(rest)
			all = append(all, plain[:n:n])
			plain = rest
		}
	}
	return all
}

// maxHeading is how much longer than its data a written message is at most: the
// time, a flag, the protocol, two addresses with their zones, two lengths.
const maxHeading = 256

// append writes a message in the form that read reads.
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

// read reads the first message of b. Its data stay a part of b.
func read(b []byte) (m Message, rest []byte) {
	at, n := binary.Varint(b)
	m.Time, m.Received = time.Unix(0, at), b[n] == 1
	proto, b := readText(b[n+1:])
	m.Proto = string(proto)
	for _, a := range [...]*netip.AddrPort{&m.Local, &m.Remote} {
		_ = a.UnmarshalBinary(b[1 : 1+b[0]]) // append has written it
		b = b[1+b[0]:]
	}
	m.Data, b = readText(b)
	return m, b
}

func readText(b []byte) (text, rest []byte) {
	size, n := binary.Uvarint(b)
	end := n + int(size)
	return b[n:end:end], b[end:]
}
