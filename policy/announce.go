package policy

// Announcement is what the parties of a call hear before they hear each other, or
// when its recording begins.
type Announcement struct {
	File string  // for people
	PCM  []int16 // mono; shared, not changed
	Rate int     // samples per second
	At   AnnounceAt
	Side Tracks // who hears it
	Copy bool   // the recorder hears it, too
}

// AnnounceAt says when an announcement is heard.
type AnnounceAt string

// The values of AnnounceAt.
const (
	AnnounceAnswer AnnounceAt = "answer" // when the call has been answered
	AnnounceStart  AnnounceAt = "start"  // when a recorder has taken the recording
)
