// Package pcap writes packet captures of datagrams that we know by their
// payload and addresses alone: the IP and UDP headers are made for them, so that
// any tool that reads captures (Wireshark, sngrep) can.
package pcap
