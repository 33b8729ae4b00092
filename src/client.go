package src

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sidetrack/forker"
	"sidetrack/internal/sip/probe"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// What the control methods can say.
var (
	ErrNotFound = errors.New("no such call or recording")
	ErrRequest  = errors.New("this cannot be asked for")
	ErrState    = errors.New("not possible in this state")
)

// Client is the Session Recording Client: it records those calls that the
// policy names. It satisfies the recorder interface of the call's owner
// (Begin, Update, End) and is safe for concurrent use.
type Client struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	trouble *limiter
	health  *health
	prober  *probe.Prober        // guarded by mu
	backoff func() time.Duration // wait after 491 (RFC 3261 §14.1)
	round   time.Duration        // wait before the second round of SRSs
	people  metadata.UUID        // the namespace of the identifiers of persons

	maxStreams atomic.Int64 // Config.MaxStreams

	mu        sync.Mutex
	recorders map[string]*Recorder
	calls     map[string]*call // live calls by their id
	passing   conversations
	asking    context.Context // ends with Close: of questions about calls
	hush      context.CancelFunc
	questions chan struct{}       // one for each that is under way
	live      map[string]*Session // by id
	ended     history
	closing   bool
	open      int           // sessions, INVITEs and BYEs that Close waits for
	idle      chan struct{} // closed when open reaches 0 while closing; nil before Close
}

// New checks cfg and returns a client. It starts nothing of its own: the work
// is done on the lanes of cfg.Layer.
func New(cfg Config) (*Client, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	byName, err := cfg.index(cfg.Recorders)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, log: cfg.Log, metrics: m, trouble: newLimiter(cfg.Now), health: newHealth(cfg.Now), backoff: glareWait, round: firstRound,
		recorders: byName, calls: map[string]*call{}, passing: conversations{}, questions: make(chan struct{}, maxQuestions), live: map[string]*Session{}, people: metadata.NewV4(),
	}
	c.maxStreams.Store(int64(cfg.MaxStreams))
	c.asking, c.hush = context.WithCancel(context.Background())
	for _, r := range byName {
		m.prepare(r)
	}
	c.startProbes(byName)
	return c, nil
}

// glareWait is the pause after a 491 to a request of ours: we made the Call-ID
// and so wait 2.1 to 4 s in steps of 10 ms (RFC 3261 §14.1).
func glareWait() time.Duration {
	return 2100*time.Millisecond + time.Duration(rand.IntN(191))*10*time.Millisecond
}

// Begin tells of a call for which both SDPs are known. It decides at once,
// without I/O, and returns whether the call may go on only when it is recorded.
// notify hears from a lane each change of the state of the recording that the
// policy wants; it must not block and may be nil. in and relay stay the
// caller's; neither is changed, and the relay is only forked.
func (c *Client) Begin(cs metadata.Snapshot, in *policy.Invite, relay *forker.Relay,
	notify func(state metadata.RecordingState, reason string)) (required bool) {
	if notify == nil {
		notify = func(metadata.RecordingState, string) {}
	}
	k := &call{
		client: c, lane: c.cfg.Layer.LaneFor(cs.ID), invite: in, relay: relay, notify: notify, cs: &cs,
	}
	k.decision, k.recorders = c.decide(in)
	c.mu.Lock()
	refuse := c.closing
	if !refuse {
		c.calls[cs.ID] = k
		c.passing.enter(k)
	}
	c.mu.Unlock()
	required = k.decision.Required()
	if refuse {
		for _, w := range k.decision.Wanted {
			c.missed(k, w.Recorder, w.Rule, w.Required)
		}
		k.lane.Post(func() { notify(metadata.StateEnded, reasonShutdown) })
		return required
	}
	k.lane.Post(func() {
		k.listen()
		k.plan()
		k.applyRules()
	})
	return required
}

// Update tells of a change of the call. A call that is not known is ignored.
func (c *Client) Update(cs metadata.Snapshot) {
	if k := c.call(cs.ID); k != nil {
		k.lane.Post(func() { k.onSnapshot(&cs) })
	}
}

// End tells that the call is over. Its relay may be closed right after.
func (c *Client) End(cs metadata.Snapshot) {
	c.mu.Lock()
	k := c.calls[cs.ID]
	delete(c.calls, cs.ID)
	if k != nil {
		c.passing.leave(k)
	}
	c.mu.Unlock()
	if k != nil {
		k.lane.Post(func() { k.onEnd(&cs) })
	}
}

func (c *Client) call(id string) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[id]
}

func (c *Client) recorder(name string) *Recorder {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recorders[name]
}

// Prepare checks recorders; swap puts them in force, and calls rules to do so with
// the rules that name them. Calls that run keep the rules and recorders that they
// began with; maxStreams counts for them, too.
func (c *Client) Prepare(recorders []Recorder, maxStreams int) (swap func(rules func()), err error) {
	byName, err := c.cfg.index(recorders)
	if err != nil {
		return nil, err
	}
	return func(rules func()) {
		for _, r := range byName {
			c.metrics.prepare(r)
		}
		c.maxStreams.Store(int64(maxStreams))
		both := maps.Clone(c.inUse())
		maps.Copy(both, byName)
		c.know(both) // so that every call finds what its rules name
		rules()
		c.know(byName)
		c.startProbes(byName)
	}, nil
}

func (c *Client) inUse() map[string]*Recorder {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recorders
}

func (c *Client) know(recorders map[string]*Recorder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recorders = recorders
}

// decide asks the rules about a call, and gives the recorders that they name,
// though others may be put in force meanwhile.
func (c *Client) decide(in *policy.Invite) (policy.Decision, map[string]*Recorder) {
	for {
		rules := c.cfg.Policy()
		recorders := c.inUse()
		if c.cfg.Policy() == rules {
			return rules.Decide(in), recorders
		}
	}
}

// Recordings returns the live sessions and those that ended lately, in the
// order in which they were asked for.
func (c *Client) Recordings() []View {
	c.mu.Lock()
	views := c.ended.all()
	live := make([]*Session, 0, len(c.live))
	for _, s := range c.live {
		live = append(live, s)
	}
	c.mu.Unlock()
	for _, s := range live {
		views = append(views, s.View())
	}
	slices.SortFunc(views, byStart)
	return views
}

func byStart(a, b View) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) }

// Recording returns one session, live (id may be CALL:NAME) or ended lately.
func (c *Client) Recording(id string) (View, bool) {
	c.mu.Lock()
	s := c.find(id)
	v, ok := c.ended.get(id)
	c.mu.Unlock()
	if s != nil {
		return s.View(), true
	}
	return v, ok
}

// Close ends every session with BYE and waits until all of them have been
// answered, or until ctx is done, whose error it then returns. New calls are
// not recorded any more. The layer must still run.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	first := !c.closing
	c.closing = true
	if first {
		c.idle = make(chan struct{})
	}
	idle, live := c.idle, make([]*Session, 0, len(c.live))
	for _, s := range c.live {
		live = append(live, s)
	}
	if first && c.open == 0 {
		close(idle)
	}
	c.mu.Unlock()
	if first {
		c.hush()
		c.probes().Stop()
		for _, s := range live {
			s.lane.Post(func() { s.stop(reasonShutdown) })
		}
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) probes() *probe.Prober {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.prober
}

// hold makes Close wait for something more; release ends that.
func (c *Client) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
}

func (c *Client) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.open == 0 && c.idle != nil {
		select {
		case <-c.idle:
		default:
			close(c.idle)
		}
	}
}

// enter and leave keep the registry of sessions.
func (c *Client) enter(s *Session) {
	c.hold()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live[s.id] = s
}

func (c *Client) leave(s *Session, v View) {
	c.mu.Lock()
	delete(c.live, s.id)
	c.ended.add(v)
	if k := c.calls[v.CallID]; k != nil {
		k.remember(v, s.guard.deliberate || s.by == InitiatorSRS)
	}
	c.mu.Unlock()
	c.release()
}
