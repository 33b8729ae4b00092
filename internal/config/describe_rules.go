package config

import (
	"fmt"
	"strings"

	"sidetrack/policy"
)

func (c *Config) describeRules(t *table) {
	t.title("Recording rules (first match wins; none: not recorded)")
	if len(c.Policy.Rules) == 0 {
		t.row("none")
	}
	for i, r := range c.Policy.Rules {
		t.matching(i, r.Name, r.Match, outcome(r))
	}
}

// outcome says in words what a rule does.
func outcome(r policy.Rule) string {
	if r.Recorder == policy.NoRecorder {
		return "not recorded"
	}
	what := "both sides"
	if r.Tracks != policy.TracksBoth {
		what = "the " + string(r.Tracks) + " only"
	}
	parts := []string{what + " to " + strings.Join(append([]string{r.Recorder}, r.Also...), " and to "), "from the answer on"}
	if r.Start == policy.StartEarly {
		parts[1] = "from early media on"
	}
	if r.OnHold == policy.OnHoldPause {
		parts = append(parts, "paused on hold")
	} else {
		parts = append(parts, "hold ignored")
	}
	if r.Required {
		without := "no call without (503)"
		if r.Demanded != nil {
			without = "no call without " + strings.Join(r.Demanded, " and ") + " (503)"
		}
		parts = append(parts, without)
	}
	if r.Start == policy.StartManual {
		parts[1] = "when somebody asks for it"
	}
	if r.OnUnrecorded == policy.OnUnrecordedHangUp {
		parts = append(parts, "hung up when unrecorded for "+short(r.UnrecordedAfter))
	}
	if c := r.Controls; c != nil {
		parts = append(parts, "steered "+steered(c))
	}
	if a := r.Decide; a != nil {
		otherwise := "recorded"
		if a.OnError == policy.OnErrorSkip {
			otherwise = "not recorded"
		}
		parts = append(parts, fmt.Sprintf("if %s says so within %s, without its answer %s", a.Shown(), short(a.Timeout), otherwise))
	}
	if r.Media != nil {
		parts = append(parts, strings.Join(r.Media, " and "))
	}
	if r.Announce != nil {
		parts = append(parts, announceWords(r.Announce))
	}
	if r.Tone != nil {
		parts = append(parts, toneWords(r.Tone))
	}
	if r.Once {
		parts = append(parts, "once where a call passes several times")
	}
	if r.Continue {
		parts = append(parts, "and as the rules behind say")
	}
	return strings.Join(parts, ", ")
}
