package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sidetrack/internal/config"
	"sidetrack/internal/logs"
)

// flooded is a log that is bounded to rate lines a second.
func flooded(rate int) (log *slog.Logger, out *output, style *logStyle) {
	out, style = &output{}, newLogStyle(config.Log{Format: "text", Rate: rate})
	return slog.New(logHandler(out, style)), out, style
}

func (o *output) lines(says string) int { return strings.Count(o.String(), says) }

func (s *logStyle) spared(level string) int {
	return int(testutil.ToFloat64(s.dropped.WithLabelValues(level)))
}

func TestFloodsAreHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out, style := flooded(0)
		for range 1000 {
			log.Warn("junk", "remote", "x")
			log.With("listener", "l").Error("worse")
			log.Info("ours")
		}
		if out.lines("msg=junk") != floodLimit || out.lines("msg=worse") != floodLimit || out.lines("msg=ours") != 1000 {
			t.Errorf("%d, %d, %d lines", out.lines("msg=junk"), out.lines("msg=worse"), out.lines("msg=ours"))
		}
		time.Sleep(floodWindow)
		synctest.Wait()
		if out.lines("level=WARN msg=\"more like this\" message=junk lines=980\n") != 1 || out.lines("level=ERROR msg=\"more like this\" message=worse lines=980\n") != 1 {
			t.Errorf("the rest is not told:\n%s", out.String()[len(out.String())-200:])
		}
		if style.spared("warn") != 980 || style.spared("error") != 980 || style.spared("info") != 0 {
			t.Errorf("counted %d, %d, %d", style.spared("warn"), style.spared("error"), style.spared("info"))
		}
		log.Warn("junk")
		// Each call keeps its record, and cannot write more than its share.
		for i := range 100 {
			call := log.With("call", fmt.Sprint(i))
			call.Warn("call not recorded")
			for range 100 {
				call.With("recording", "r").WithGroup("g").Info("request refused")
			}
		}
		if out.lines("msg=junk") != floodLimit+1 || out.lines("call not recorded") != 100 || out.lines("request refused") != 100*floodLimit {
			t.Errorf("%d after the flood, %d records, %d refusals", out.lines("msg=junk"), out.lines("call not recorded"), out.lines("request refused"))
		}
	})
}

// A call has its share however its lines come to name it; a Call-ID that a stranger has made up gets him none.
func TestWhoHasAShareOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out, style := flooded(0)
		for i := range 100 {
			call := logs.About(log, func(r *slog.Record) { r.AddAttrs(slog.String("call", fmt.Sprint(i))) })
			for range 30 {
				call.Info("step")
				call.With("recording", "r").Warn("fault")
				log.Error("fault of one", "call", fmt.Sprint(i))
				log.Warn("refused", "sip_call_id", fmt.Sprint(i))
			}
		}
		for says, want := range map[string]int{"msg=step": 100 * floodLimit, "msg=fault": 100 * floodLimit, `msg="fault of one"`: 100 * floodLimit, "msg=refused": floodLimit} {
			if n := out.lines(says); n != want {
				t.Errorf("%d lines of %s, want %d", n, says, want)
			}
		}
		if n := style.spared("info"); n != 100*10 {
			t.Errorf("%d lines left out", n)
		}
		time.Sleep(floodWindow)
		log.Warn("refused")
		if n := out.lines("msg=refused"); n != floodLimit+1 {
			t.Errorf("%d lines in the next second", n-floodLimit)
		}
	})
}

// However many calls there are, and whatever goes wrong with each, a log takes so many
// lines a second and no more; what is worse comes before what is not.
func TestLogsTakeSoManyLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, seconds, calls = 200, 4, 100
		log, out, style := flooded(rate)
		written := 0
		for range seconds {
			for i := range calls {
				call := log.With("call", fmt.Sprint(i))
				for step := range 10 {
					call.Info(fmt.Sprint("step ", step))
				}
				call.Warn("one fault")
				call.Warn("another fault")
			}
			log.Error("the disk is full")
			if n := out.lines("\n") - written; n > rate {
				t.Errorf("%d lines in a second", n)
			}
			time.Sleep(floodWindow)
			synctest.Wait()
			if written = out.lines("\n"); out.lines("msg=\"more like this\"") == 0 {
				t.Error("nothing is told of what was left out")
			}
		}
		if n := out.lines("\n"); n > rate*seconds+12 { // those of the last second's end
			t.Errorf("%d lines in %d seconds", n, seconds)
		}
		if out.lines("the disk is full") != seconds || out.lines("msg=\"one fault\"") == 0 {
			t.Errorf("%d errors and %d warnings are told", out.lines("the disk is full"), out.lines("one fault"))
		}
		told, want := 0, seconds*calls*12+seconds
		for line := range strings.Lines(out.String()) {
			n := 1
			if _, count, more := strings.Cut(line, " lines="); more {
				fmt.Sscan(count, &n)
			}
			told += n
		}
		if told != want || style.spared("info")+style.spared("warn") != want-out.lines("\n")+out.lines("more like this") {
			t.Errorf("%d lines are accounted for of %d, %d and %d counted", told, want, style.spared("info"), style.spared("warn"))
		}
	})
}

// The calls of a busy proxy are told of, each.
func TestOrdinaryOperationIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out, style := flooded(config.DefaultLogRate)
		const perSecond = 300
		steps := []string{"call arrived", "call answered", "recording", "recording ended", "call ended"}
		for range 3 {
			for i := range perSecond {
				call := log.With("call", fmt.Sprint(i))
				for _, step := range steps {
					call.Info(step)
				}
				time.Sleep(time.Second / perSecond)
			}
		}
		if n := out.lines("\n"); n != 3*perSecond*len(steps) || style.spared("info") != 0 {
			t.Errorf("%d lines, %d left out", n, style.spared("info"))
		}
	})
}

// Messages that are no constants cost no memory.
func TestManyTextsAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out, _ := flooded(20)
		for i := range 10000 {
			log.Warn(fmt.Sprint("text ", i))
		}
		time.Sleep(floodWindow)
		synctest.Wait()
		if n := out.lines("\n"); n > 20+maxTold || out.lines(`message="`+otherTexts+`"`) != 1 {
			t.Errorf("%d lines:\n%s", n, out)
		}
	})
}
