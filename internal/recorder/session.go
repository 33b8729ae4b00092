package recorder

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/txn"
)

const (
	maxStreams  = 16
	maxProblems = 200
)

// session is one recording session: a dialog, its streams and its folder.
// Its methods run on its lane, with mu held, unless they say otherwise.
type session struct {
	// Set once.
	server *Server
	lane   *txn.Lane
	epoch  time.Time // time zero of all files

	mu       sync.Mutex // guards the rest; taken before a stream's
	log      *slog.Logger
	id       string
	folder   *folder // nil before begin
	dialog   *dialog.Dialog
	streams  []*stream // by m= section; nil where refused
	retired  []*stream // whose section another stream has taken
	names    names
	sdp      description
	library  library
	problems []string
	updates  bool // the client takes UPDATE

	timer   sessionTimer
	expiry  *txn.Timer // end, or our refresh
	tick    *txn.Timer // reports and the look at idleness
	request time.Duration

	invite   *txn.ServerTx // its 200 has no ACK yet
	offered  bool          // and that 200 holds our offer
	inviting bool          // a re-INVITE of ours is under way
	refusals int           // of our refresh, in a row

	doomed  string   // why it is to end with the ACK; "" it is not
	leaving []func() // who waits for that
	ended   bool
	clean   bool // by the client's BYE
	reason  string
	endAt   time.Duration
}

func newSession(s *Server, tx *txn.ServerTx, c content) *session {
	ss := &session{
		server: s, lane: tx.Lane, epoch: time.Now(), names: names{},
		library: library{sender: map[string]Party{}},
		log:     s.cfg.Log.With("sip_call_id", strings.Clone(tx.Request.CallID())),
		dialog:  dialog.NewUAS(tx.Request, tx.LocalTag()),
	}
	ss.dialog.Confirmed = true
	ss.sdp.id = rand.Uint64()
	ss.sdp.version = 1
	return ss
}

// now is the time on the session's clock.
func (s *session) now() time.Duration { return time.Since(s.epoch) }

// begin answers the first INVITE. When it refuses, abandon is to be called.
func (s *session) begin(tx *txn.ServerTx, c content) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard(tx)
	documents := s.readDocuments(c, "INVITE")
	s.identify()
	answer, r := s.answer(c)
	if r != nil {
		return r
	}
	s.store(documents)
	s.lane.Bind(s.dialog.CallID, s.dialog.LocalTag, s)
	s.accept(tx, c, answer)
	s.keepBeginning()
	for _, st := range s.streams {
		if st != nil {
			st.start()
		}
	}
	s.schedule(s.server.cfg.RTCPInterval / 2)
	s.log.Info("recording session started", "from", tx.Request.From().URI, "streams", len(s.streams), "via", tx.Flow.Proto)
	return nil
}

// identify names the session: by its metadata, else at random.
func (s *session) identify() {
	s.id = s.library.sessionID()
	if s.id == "" {
		s.id = sip.NewTag()
	}
	s.folder = newFolder(s.server.cfg.Out, s.epoch, s.id)
	s.log = s.log.With("rs", s.id)
}

// abandon releases what a session that was refused holds. Called without mu.
func (s *session) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for _, st := range s.streams {
		if st != nil {
			st.rtp.Close()
			st.rtcp.Close()
		}
	}
}

// heard takes in what every request of the client tells.
func (s *session) heard(tx *txn.ServerTx) {
	s.request = s.now()
	s.dialog.Flow = tx.Flow
	m := tx.Request
	if m.Method == "INVITE" || m.Method == "UPDATE" {
		s.dialog.Refresh(m)
		for _, note := range checkRequest(m) {
			s.problem(note)
		}
	}
	if m.Has("Allow") {
		s.updates = m.HasToken("Allow", "UPDATE")
	}
}

// problem remembers what is wrong, once.
func (s *session) problem(text string) {
	if len(s.problems) < maxProblems && !slices.Contains(s.problems, text) {
		s.problems = append(s.problems, text)
	}
}

// trouble is problem for other goroutines, which do not hold mu.
func (s *session) trouble(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Error("recording session in trouble", "error", text)
	s.problem(text)
}

// received is a document and its bytes on their way to the disk.
type received struct {
	document
	bytes []byte
}

// readDocuments takes in the metadata of a message and tells what is wrong with it.
func (s *session) readDocuments(c content, via string) (list []received) {
	for _, note := range c.notes {
		s.problem(note)
	}
	for _, b := range c.documents {
		d := s.library.read(b, via, s.now(), &c)
		for _, p := range d.Problems {
			s.problem("metadata " + strconv.Itoa(s.library.count) + ": " + p)
		}
		if len(d.Problems) > 0 {
			s.log.Warn("metadata is not right", "document", s.library.count, "problems", len(d.Problems), "first", d.Problems[0])
		}
		list = append(list, received{*d, b})
	}
	if via == "INVITE" && s.library.count == 0 {
		s.problem("MD-02: no metadata in the first INVITE")
	}
	return list
}

// store hands documents to the clerk.
func (s *session) store(list []received) {
	f := s.folder
	for _, d := range list {
		ok := s.server.clerk.post(len(d.bytes), func() {
			if err := store(f, d.document, d.bytes); err != nil {
				s.trouble("writing metadata: " + err.Error())
				s.giveUp(err)
			}
		})
		if !ok {
			s.problem("metadata dropped: " + errSlow.Error())
			s.giveUp(errSlow)
		}
	}
}

// expect tells a stream who its packets come from.
func (s *session) expect(st *stream, media, rtcp netip.AddrPort) {
	st.expect(media, rtcp, s.dialog.Flow.Remote.Addr())
}
