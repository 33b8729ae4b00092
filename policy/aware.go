package policy

// Awareness says how phones that know of recording (RFC 7866 §6.1.2: the option
// tag record-aware) are told by us whether their call is recorded. What somebody
// else tells them passes in any case.
type Awareness string

// The values of Awareness; "" means AwareUpdates.
const (
	AwareUpdates      Awareness = "updates"      // in each description, and by requests of our own when it changes in between
	AwareDescriptions Awareness = "descriptions" // only in the descriptions that pass anyway
	AwareOff          Awareness = "off"          // not by us
)
