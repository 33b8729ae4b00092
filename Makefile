# One entry point for people and CI. `make help` lists the targets.
#
# Knobs: GO, OUT (demo), CALLS and CPS (load-sipp), MINUTES (soak, soak-media, tshark), RTPLOAD (load), MEDIA (bench-media), ENGINES (bench-engines),
# FUZZTIME (fuzz-short), EXECS and PARALLEL (fuzz), DEAD (webhook), FLOOD (flood), PAGE_CALLS (page-crowd).

GO       ?= go
BIN      ?= ./sidetrack
OUT      ?= demo-out
IMAGE    ?= sidetrack
FUZZTIME ?= 10s
EXECS    ?= 270000
CALLS    ?= 2000
MINUTES  ?= 10
CPS      ?= 50
DEAD     ?= 1m
FLOOD    ?= 1000000
PAGE_CALLS ?= 5000
MEDIA    ?= -calls 50,200,400,600,1000 -window 8s
ENGINES  ?= -calls 50,400 -window 5s

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT   := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.release=$(VERSION) -X main.commit=$(COMMIT)

# Every Go file but generated ones; gofmt is asked about these.
GOFILES   = $(shell git ls-files --cached --others --exclude-standard '*.go')

.DEFAULT_GOAL := help
.PHONY: help build test race scenario interop interop-soak interop-phones interop-others interop-wire interop-portable conformance lint fuzz-short fuzz bench bench-media bench-engines demo image load bench-cps overload flood load-sipp restart soak soak-media tshark reload fire webhook page-crowd screenshots clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the binary ./sidetrack, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/sidetrack

# The two that wait the longest begin first, and a third package runs while they wait: CPUs are seldom what they lack.
test: ## every test but interop, with the race detector
	$(GO) test -race -p 3 -parallel 6 -timeout 15m ./tests/scenario ./src ./...

race: ## the concurrent packages again and again under the race detector
	$(GO) test -race -count=3 -timeout 15m ./internal/sip/... ./forker/... ./b2bua/... ./src/... ./internal/recorder/...

scenario: ## the whole system against scripted callers, PBXs and SRSs, verbosely
	$(GO) test -race -v -timeout 8m ./tests/scenario/...

# They wait for the timers of others most of the time, so two run side by side, and the soak; each has addresses and namespaces of its own.
interop: build ## against SIPp, baresip, tshark, xmllint, libsrtp (Debian packages; root for namespace and captures)
	$(GO) test -c -tags interop -o dist/ ./tests/interop ./tests/scenario
	@$(MAKE) --no-print-directory --output-sync=target --keep-going -j3 interop-soak interop-phones interop-others interop-wire interop-portable

AUDIO  = ^TestSoakWithAudio$$
PHONES = ^Test(Ladders|PBX|Phones|Baresip|SIPpCalls)

interop-phones:
	cd tests/interop && SIDETRACK_BIN=$(abspath $(BIN)) $(CURDIR)/dist/interop.test -test.v -test.timeout 10m -test.run '$(PHONES)'

interop-others:
	cd tests/interop && SIDETRACK_BIN=$(abspath $(BIN)) $(CURDIR)/dist/interop.test -test.v -test.timeout 10m -test.skip '$(PHONES)|$(AUDIO)'

interop-soak:
	cd tests/interop && SIDETRACK_BIN=$(abspath $(BIN)) $(CURDIR)/dist/interop.test -test.v -test.timeout 10m -test.run '$(AUDIO)'

interop-wire:
	cd tests/scenario && $(CURDIR)/dist/scenario.test -test.v -test.timeout 10m -test.run 'Libsrtp|OnTheWire'

# Media by the driver of macOS and the BSDs (goroutines on Go's netpoller) instead of epoll workers; PORTABLE=1 does so in any scenario.
PORTABLE = ^Test(CallIsRelayed|RTCP|WhereRTCP|EarlyMedia$$|FirstWordsReach|HoldPauses|CodecChange|MediaMoves|LossAnd|SSRCChange|SenderReports|Symmetric|StrangersAreNot|MixedRecording|MoveLoses|KilledSRS|CallBetween|PauseAsSilence|RecordingTone|Announcement|DTLSInSDP|EndedSRTPIsRekeyed|EndedSRTCP|SRTPEnds|MarksAnd|NoPortsLeft|ReloadUnder)

interop-portable:
	cd tests/scenario && PORTABLE=1 $(CURDIR)/dist/scenario.test -test.v -test.timeout 10m -test.run '$(PORTABLE)'

conformance: ## each rule of the RFCs and each habit of a recorder, with the tests that hold it and their result
	$(GO) run ./tests/tools/conformance

# What else it must compile for, tests included.
PLATFORMS = linux/arm64 darwin/arm64 freebsd/amd64

lint: ## gofmt, go vet, staticcheck; whether it compiles for PLATFORMS
	@unformatted="$$(gofmt -l $(GOFILES))"; \
	if [ -n "$$unformatted" ]; then echo "gofmt -w these:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet -tags interop ./...
	$(GO) tool staticcheck -tags interop ./...
	$(GO) run ./tests/tools/platforms $(PLATFORMS)

fuzz-short: ## each fuzz target for FUZZTIME (10s)
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' tests/tools/fuzz

fuzz: ## each fuzz target EXECS (270000) times, ten million in all, PARALLEL processes at low priority: a night; BLIND=1: less than an hour, without guidance
	@GO='$(GO)' FUZZTIME='$(EXECS)x' PARALLEL='$(PARALLEL)' BLIND='$(BLIND)' nice -n 19 tests/tools/fuzz

bench: ## every benchmark once, with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-media: build ## sidetrack beside rtpengine (Debian): CPU, loss, latency, memory per number of recorded calls; cost of a packet and of a copy
	$(GO) build -o dist/media ./tests/load/media && dist/media -sidetrack $(BIN) $(MEDIA)

bench-engines: ## ways of moving packets, measured bare one beside the other
	$(GO) build -o dist/engines ./tests/load/engines && dist/engines $(ENGINES)

demo: ## a recorded call in one process on loopback; WAV files in OUT (demo-out)
	$(GO) run ./cmd/sidetrack demo --out $(OUT)

image: ## the container image
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t $(IMAGE) .

load: build ## 200 recorded calls at 50/s, measured by RTPLOAD=path/to/rtpload; prints its JSON
	@RTPLOAD='$(RTPLOAD)' BIN='$(abspath $(BIN))' tests/load/rtpload.sh

bench-cps: build ## CPU and memory of recorded calls without audio at RATES (50 100 200 300) calls/s, by RTPLOAD
	@RTPLOAD='$(RTPLOAD)' BIN='$(abspath $(BIN))' tests/load/cps.sh table

overload: build ## the rate that is sustained, by RTPLOAD, then three times that while calls talk: four fifths of the peak are answered and recorded, no packet is lost
	@RTPLOAD='$(RTPLOAD)' BIN='$(abspath $(BIN))' HOLD=1s tests/load/cps.sh overload

flood: build ## scanners (sipvicious, if installed) and FLOOD (1000000) datagrams of as many forged sources while 8 calls talk; root
	SIDETRACK_BIN=$(abspath $(BIN)) FLOOD=$(FLOOD) FLOOD_CALLS=8 $(GO) test -tags interop -v -count=1 -timeout 60m -run 'TestFlood' ./tests/interop/...

load-sipp: build ## CALLS (2000) recorded SIPp calls with audio at CPS (50) a second, then the leak check
	SIDETRACK_BIN=$(abspath $(BIN)) SIPP_CALLS=$(CALLS) SIPP_CPS=$(CPS) \
		$(GO) test -tags interop -v -count=1 -timeout 20m -run 'TestSIPpCallsAreRecorded' ./tests/interop/...

soak: build ## mixed SIPp calls for MINUTES (10) at CPS (30) a second with 2 % of the packets lost, then the leak check
	SIDETRACK_BIN=$(abspath $(BIN)) SOAK=$(MINUTES) SOAK_CPS=$(if $(filter file,$(origin CPS)),30,$(CPS)) \
		$(GO) test -tags interop -v -count=1 -timeout 180m -run 'TestSoak$$' ./tests/interop/...

soak-media: build ## 300 recorded calls with audio come and go for MINUTES (10): clocks, heap, ports, goroutines, descriptors
	$(GO) build -o dist/media ./tests/load/media && dist/media -sidetrack $(BIN) -calls 300 -soak $(MINUTES)m

tshark: ## tshark reads what the SRSs get of a call of MINUTES (10) with hold, pause, transfer and move
	TSHARK_MINUTES=$(MINUTES) $(GO) test -tags interop -v -count=1 -timeout 180m -run 'TestTsharkOnTheWire' ./tests/scenario/...

restart: build ## 500 calls live while their recorder is killed and started again: nothing is missing, or told to the packet
	SIDETRACK_BIN=$(abspath $(BIN)) RESTART_CALLS=500 \
		$(GO) test -tags interop -v -count=1 -timeout 10m -run 'TestRecorderRestarts' ./tests/interop/...

reload: ## the configuration changes in the middle of 200 calls: no packet is lost
	RELOAD_CALLS=200 $(GO) test -v -count=1 -timeout 10m -run 'TestReloadUnderCalls' ./tests/scenario

fire: build ## 200 calls, 50 control actions a second through all doors for two minutes: each answered, each final state true
	SIDETRACK_BIN=$(abspath $(BIN)) FIRE_CALLS=200 FIRE_TIME=2m $(GO) test -v -count=1 -timeout 15m -run 'TestControlUnderFire' ./tests/scenario

webhook: ## a receiver of webhooks is dead for DEAD (1m) while calls go on: every event comes, in order, once
	WEBHOOK_DEAD=$(DEAD) $(GO) test -v -count=1 -timeout 15m -run 'TestWebhookReceiverIsKilled' ./internal/app

page-crowd: build ## the page with PAGE_CALLS (5000) live calls, in Chromium
	SIDETRACK_BIN=$(abspath $(BIN)) PAGE_CALLS=$(PAGE_CALLS) $(GO) test -tags interop -v -count=1 -timeout 30m -run 'TestPageWithManyCalls' ./tests/interop/...

screenshots: build ## the pictures of the page in docs/img, by its browser test
	SIDETRACK_BIN=$(abspath $(BIN)) SCREENSHOTS=$(CURDIR)/docs/img $(GO) test -tags interop -v -count=1 -timeout 10m -run 'TestPageInChromium' ./tests/interop/...

clean: ## what the targets above leave behind
	rm -rf $(BIN) $(OUT) dist
