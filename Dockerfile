# Multi-stage: a static binary in an image that holds nothing else.
FROM golang:1.26-bookworm AS build
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=${VERSION} -X main.commit=${COMMIT}" -o /sidetrack ./cmd/sidetrack

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /sidetrack /sidetrack
USER 65534:65534
# SIP, HTTP, RTP (media.ports). Host networking spares the port mapping.
EXPOSE 5060/udp 5060/tcp 5061/tcp 8080/tcp
STOPSIGNAL SIGTERM
ENTRYPOINT ["/sidetrack"]
CMD ["serve", "--config", "/etc/sidetrack/sidetrack.yaml"]
