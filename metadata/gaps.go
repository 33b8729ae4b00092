package metadata

import (
	"strconv"

	"github.com/beevik/etree"
)

// gaps makes an element of our own namespace, gaps, with one element gap for
// each: the stream, when it was not recorded and why.
func (b *Builder) gaps(all []Gap) Extension {
	el := etree.NewElement("gaps")
	el.CreateAttr("xmlns", ExtensionNamespace)
	for _, g := range all {
		one := el.CreateElement("gap")
		if t := b.track(g.Label); t != nil {
			one.CreateAttr("stream_id", string(t.ID))
		}
		one.CreateAttr("cause", clean(g.Cause))
		one.CreateAttr("from", formatTime(g.From))
		if !g.To.IsZero() {
			one.CreateAttr("to", formatTime(g.To))
		}
		if g.Packets > 0 {
			one.CreateAttr("packets", strconv.FormatUint(g.Packets, 10))
		}
	}
	return extension(el)
}
