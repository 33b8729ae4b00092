package sdp

// static is the payload types whose meaning needs no rtpmap (RFC 3551 §6).
var static = map[uint8]Format{
	0:  {Name: "PCMU", Clock: 8000, Channels: 1},
	3:  {Name: "GSM", Clock: 8000, Channels: 1},
	4:  {Name: "G723", Clock: 8000, Channels: 1},
	5:  {Name: "DVI4", Clock: 8000, Channels: 1},
	6:  {Name: "DVI4", Clock: 16000, Channels: 1},
	7:  {Name: "LPC", Clock: 8000, Channels: 1},
	8:  {Name: "PCMA", Clock: 8000, Channels: 1},
	9:  {Name: "G722", Clock: 8000, Channels: 1}, // 16 kHz sampling, 8 kHz clock: §4.5.2
	10: {Name: "L16", Clock: 44100, Channels: 2},
	11: {Name: "L16", Clock: 44100, Channels: 1},
	12: {Name: "QCELP", Clock: 8000, Channels: 1},
	13: {Name: "CN", Clock: 8000, Channels: 1},
	14: {Name: "MPA", Clock: 90000, Channels: 1},
	15: {Name: "G728", Clock: 8000, Channels: 1},
	16: {Name: "DVI4", Clock: 11025, Channels: 1},
	17: {Name: "DVI4", Clock: 22050, Channels: 1},
	18: {Name: "G729", Clock: 8000, Channels: 1},
	25: {Name: "CelB", Clock: 90000, Channels: 1},
	26: {Name: "JPEG", Clock: 90000, Channels: 1},
	28: {Name: "nv", Clock: 90000, Channels: 1},
	31: {Name: "H261", Clock: 90000, Channels: 1},
	32: {Name: "MPV", Clock: 90000, Channels: 1},
	33: {Name: "MP2T", Clock: 90000, Channels: 1},
	34: {Name: "H263", Clock: 90000, Channels: 1},
}
