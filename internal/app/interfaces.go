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

// networksOf finds the network of a leg, also of one by a socket that only the configuration
// before had; nil: there is none.
func networksOf(cfg, before *config.Config) b2bua.Networks {
	m := &cfg.Media
	byListener := map[string]string{}
	if before != nil {
		for _, i := range before.Media.Networks {
			for _, url := range i.Listeners {
				byListener[url] = i.Name
			}
		}
		for _, url := range cfg.SIP.Listen {
			delete(byListener, url)
		}
	}
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
