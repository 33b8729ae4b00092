package transport

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"unsafe"
)

// streams are such as cost much where a framer does work again that it has done; about n octets each.
func streams(n int) map[string]string {
	fill := func(unit string) string { return strings.Repeat(unit, n/len(unit)+1) }
	sized := func(n int) string {
		return fmt.Sprintf("X\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("b", n))
	}
	return map[string]string{
		"line ends":                        fill("\n\n"),
		"line ends behind a large one":     sized(60000) + fill("\n\n"),
		"pings":                            fill("\r\n\r\n"),
		"small ones":                       fill("l:0\r\n\r\n"),
		"small ones behind a large one":    sized(60000) + fill("l:0\r\n\r\n"),
		"ordinary ones":                    fill(sized(600)),
		"large ones":                       fill(sized(60000)),
		"the largest":                      fill(sized(maxMessage - 32)),
		"large and small ones":             fill(sized(60000) + "l:0\r\n\r\n"),
		"a header of many lines":           fill(strings.Repeat("a:\r\n", 10000) + "l:0\r\n\r\n"),
		"a header of carriage returns":     fill("a:" + strings.Repeat("\r", 60000) + "\r\nl:0\r\n\r\n"),
		"large ones, line ends in between": fill(sized(40000) + strings.Repeat("\r\n", 5000)),
	}
}

// cost cuts a stream that is read by at most step octets at a time, and tells how many octets have been moved
// within the buffers, how large the largest was, and what is kept in the end.
func cost(t testing.TB, stream string, step int) (moved, most, kept int) {
	var f framer
	where := func() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(f.unread())) }
	for len(stream) > 0 {
		before, left := where(), len(f.unread())
		into := f.room()
		if left > 0 && where() != before {
			moved += left
		}
		most = max(most, cap(f.buf))
		n := copy(into[:min(step, len(into))], stream)
		f.filled(n)
		stream = stream[n:]
		for {
			before, left := where(), len(f.unread())
			msg, _, err := f.next()
			if err != nil {
				t.Fatal(err)
			}
			if n := len(f.unread()); n > 0 && where() != unsafe.Add(before, left-n) {
				moved += n
			}
			if msg == nil {
				break
			}
		}
	}
	f.room()
	return moved, most, cap(f.buf)
}

// What is moved grows with what is read, not with its square, however much comes at once; and nobody has us
// keep more than the largest message.
func TestFramingCostsByTheOctet(t *testing.T) {
	for name, stream := range streams(128 << 10) {
		for _, step := range []int{100, 1 << 20} {
			moved, most, kept := cost(t, stream, step)
			if moved > 2*len(stream) || most > maxMessage+2*readChunk || kept > keptRoom {
				t.Errorf("%s, %d octets by %d: %d moved, buffers up to %d, %d kept", name, len(stream), step, moved, most, kept)
			}
		}
	}
}

// A ping is answered once for what has come together.
func TestFramerPings(t *testing.T) {
	var f framer
	for _, tt := range []struct {
		in   string
		ping bool
		msgs int
	}{{"\r\n", false, 0}, {"\r\n", true, 0}, {"\r\n\r\n\r\n\r\n", true, 0}, {"\r\n\r\nl:0\r\n\r\n", true, 1}, {"\r\nl:0\r\n\r\n\r\n", false, 1}} {
		f.filled(copy(f.room(), tt.in))
		pings, msgs := false, 0
		for {
			msg, ping, err := f.next()
			if err != nil {
				t.Fatal(err)
			}
			pings = pings || ping
			if msg == nil {
				break
			}
			msgs++
		}
		if pings != tt.ping || msgs != tt.msgs {
			t.Errorf("%q: ping %t, %d messages", tt.in, pings, msgs)
		}
	}
}

func BenchmarkFraming(b *testing.B) {
	for name, stream := range streams(128 << 10) {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			b.SetBytes(int64(len(stream)))
			for b.Loop() {
				cost(b, stream, 64<<10)
			}
		})
	}
}

// However many pings come from somebody who does not read, one answer waits for him, and another one once that has left.
func TestOnePongWaits(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	layer := New(Config{})
	defer layer.Close()
	c := &conn{layer: layer, nc: ours, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	for round := range 2 {
		for range 1000 {
			c.frames.filled(copy(c.frames.room(), "\r\n\r\n"))
			if err := c.drain(); err != nil {
				t.Fatal(err)
			}
		}
		if len(c.queue) != 1 || c.queued != 2 {
			t.Fatalf("%d answers of %d octets wait", len(c.queue), c.queued)
		}
		if round == 0 {
			layer.wg.Add(1)
			go c.writeLoop()
			if _, err := io.ReadFull(theirs, make([]byte, 2)); err != nil {
				t.Fatal(err)
			}
			c.close(ErrClosed)
			layer.wg.Wait()
			c.err = nil // the second round is written to nobody
		}
	}
}
