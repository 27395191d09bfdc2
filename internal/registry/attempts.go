package registry

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"go.podman.io/image/v5/docker"

	"github.com/strata-hpc/strata/internal/retry"
)

// ErrUnreachable says that a registry cannot be asked at all.
var ErrUnreachable = errors.New("the registry cannot be reached")

// attempts is how often, and how long, something is tried that the network or the registry
// refuses for now.
func (o Options) attempts() retry.Rule {
	return retry.Rule{
		Patience: cmp.Or(o.Patience, 2*time.Minute), Wait: cmp.Or(o.Wait, 500*time.Millisecond), Passing: passing,
		Again: func() { o.event(Retrying, "", 0) },
	}
}

// passing says whether an error may be gone soon.
func passing(err error) bool {
	var certificate *tls.CertificateVerificationError
	var status docker.UnexpectedHTTPStatusError
	var network net.Error
	switch {
	case errors.As(err, &certificate), err != nil && strings.Contains(err.Error(), "unsupported protocol scheme"):
		return false
	case errors.As(err, &status):
		return status.StatusCode >= 500
	case errors.As(err, &network), errors.Is(err, docker.ErrTooManyRequests), errors.Is(err, retry.ErrSilent):
		return true
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
