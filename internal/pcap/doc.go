// Package pcap writes and reads packet captures. A [Writer] writes datagrams that we know by their
// payload and addresses alone: the IP and UDP headers are made for them, so that
// any tool that reads captures (Wireshark, sngrep) can. [Read] finds the SIP messages of a
// capture, pcap or pcapng, from whichever program.
package pcap
