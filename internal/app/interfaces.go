package app

import (
	"sidetrack/b2bua"
	"sidetrack/forker"
	"sidetrack/internal/config"
)

// interfaces are the networks of a configuration as the media engine takes them.
func interfaces(in []config.Network) map[string]forker.Interface {
	out := make(map[string]forker.Interface, len(in))
	for _, i := range in {
		out[i.Name] = forker.Interface{Listen: i.Listen, Advertise: i.Advertise, PortMin: i.PortMin, PortMax: i.PortMax, DSCP: i.DSCP}
	}
	return out
}

// networksOf finds the network of a leg.
func networksOf(m *config.Media) b2bua.Networks {
	byListener := map[string]string{}
	for _, i := range m.Networks {
		for _, url := range i.Listeners {
			byListener[url] = i.Name
		}
	}
	four, _ := m.NetworkOf(false)
	six, _ := m.NetworkOf(true)
	return b2bua.Networks{
		Of: func(listener string) string { return byListener[listener] },
		Family: func(ip6 bool) string {
			if ip6 {
				return six
			}
			return four
		},
	}
}
