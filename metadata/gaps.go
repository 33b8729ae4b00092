package metadata

import (
	"strconv"

	"github.com/beevik/etree"
)

// gaps makes an element of our own namespace, gaps, with one element gap for
// each: the stream, when it was not recorded and why. After a transfer that is the
// stream of who has left, as far as the gap began before.
func (b *Builder) gaps(all []Gap) Extension {
	el := etree.NewElement("gaps")
	el.CreateAttr("xmlns", ExtensionNamespace)
	for _, g := range all {
		one := el.CreateElement("gap")
		if id := b.streamAt(g.Label, g.From); id != "" {
			one.CreateAttr("stream_id", b.cfg.Style.id(id))
		}
		one.CreateAttr("cause", clean(g.Cause))
		one.CreateAttr("from", string(b.cfg.Style.time(nil, g.From)))
		if !g.To.IsZero() {
			one.CreateAttr("to", string(b.cfg.Style.time(nil, g.To)))
		}
		if g.Packets > 0 {
			one.CreateAttr("packets", strconv.FormatUint(g.Packets, 10))
		}
	}
	return extension(el)
}
