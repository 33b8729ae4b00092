package app

import (
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

// interfaceOf finds the network of a SIP socket.
func interfaceOf(in []config.Network) func(listener string) string {
	byListener := map[string]string{}
	for _, i := range in {
		for _, url := range i.Listeners {
			byListener[url] = i.Name
		}
	}
	return func(listener string) string { return byListener[listener] }
}
