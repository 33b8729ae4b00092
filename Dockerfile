# Multi-stage: a static binary in an image that holds nothing else.
FROM golang:1.26-bookworm AS build
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION} -X main.commit=${COMMIT}" -o /image/sidetrack ./cmd/sidetrack
# Certificate authorities for sips; a folder for what the demo records.
RUN mkdir -p /image/etc/ssl/certs /image/tmp && chmod 1777 /image/tmp \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
COPY --from=build /image/ /
USER 65534:65534
# SIP and HTTP. Thousands of RTP ports (media.ports) are better served by --network host than mapped.
EXPOSE 5060/udp 5060/tcp 5061/tcp 8080/tcp
# Give it longer than sip.drain: docker stop --time 50.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/sidetrack"]
CMD ["serve", "--config", "/etc/sidetrack/sidetrack.yaml"]
