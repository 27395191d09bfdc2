package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker/distribution/registry/api/errcode"
	"go.podman.io/image/v5/docker"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/printable"
	"github.com/strata-hpc/strata/internal/retry"
	"github.com/strata-hpc/strata/internal/space"
)

// explain turns an error of a registry into what a person can act on.
func (p *place) explain(ctx context.Context, verb string, err error) error {
	var said *fault.Error
	if err == nil || ctx.Err() != nil || errors.As(err, &said) {
		return err
	}
	start := verb + " " + p.text + ": "
	message := strings.TrimPrefix(clean(err.Error()), start)
	f := fault.New(fault.Failed, "%s%s", start, message)
	hint := p.hint(err)
	switch {
	case noSpace(err):
		return space.Move(err, f) // whoever chose the disk knows more
	case p.host() == "":
		return f
	case passing(err) && statusOf(err) == 0 && p.elsewhere(err) == "":
		if hint == "" {
			hint = say("see whether %s is up and can be reached from here; the same command goes on from here", p.host())
		}
		return fault.New(fault.Failed, "%s%w: %s", start, ErrUnreachable, message).WithHint("%s", hint)
	case hint != "":
		return f.WithHint("%s", hint)
	}
	return f.WithHint("'skopeo inspect %s' asks the registry the same without Strata", p.text)
}

// hint is what to do about an answer of a registry, or about the way to it; "" if
// nothing in particular.
func (p *place) hint(err error) string {
	var certificate *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	var name *net.DNSError
	switch code := statusOf(err); {
	case errors.As(err, &certificate):
		return say("put the certificate of whoever signed that of %s into /etc/containers/certs.d/%[1]s/ca.crt; ~/.config/containers/certs.d is for one user", p.host())
	case errors.As(err, &plain), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return say("%s speaks HTTP without TLS: if that is meant, say so with 'insecure = true' in registries.conf (man containers-registries.conf)", p.host())
	case code == http.StatusUnauthorized:
		return say("log in with 'podman login %s' or 'skopeo login %[1]s'", p.host())
	case code == http.StatusForbidden:
		return say("your account may not do this there: ask who runs %s, or log in with another account: 'podman login %[1]s'", p.host())
	case code == http.StatusNotFound:
		return "see that the name is right; some registries want a repository or project to be made first"
	case code == http.StatusTooManyRequests:
		return say("%s wants to be asked less often: try again later, or log in with 'podman login %[1]s', which often allows more", p.host())
	case code == http.StatusInsufficientStorage:
		return say("the disk of %s is full: have room made there; the same command then goes on from here", p.host())
	case code >= http.StatusInternalServerError:
		return say("%s had a fault of its own, %d times in a row: see its log, and whether its disk is full; the same command goes on from here", p.host(), retry.Attempts)
	case code >= http.StatusBadRequest:
		return say("%s does not take what it is sent: its log says why", p.host())
	case p.elsewhere(err) != "":
		return say("%s sent the request on to %s, or registries.conf did, and that cannot be reached from here: ask who runs it where it stores blobs", p.host(), p.elsewhere(err))
	case errors.As(err, &name) && name.IsNotFound:
		return say("see that %s is written as it should be; no such machine is known here", name.Name)
	}
	return ""
}

func say(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// statusOf is the HTTP status that an error is about; 0 if it is about none.
func statusOf(err error) int {
	var status docker.UnexpectedHTTPStatusError
	var credentials docker.ErrUnauthorizedForCredentials
	var coded errcode.ErrorCoder
	switch {
	case errors.As(err, &status):
		return status.StatusCode
	case errors.As(err, &credentials):
		return http.StatusUnauthorized
	case errors.Is(err, docker.ErrTooManyRequests):
		return http.StatusTooManyRequests
	case absent(err):
		return http.StatusNotFound
	case statusText.MatchString(err.Error()):
		code, _ := strconv.Atoi(statusText.FindStringSubmatch(err.Error())[1])
		return code
	case errors.As(err, &coded):
		return coded.ErrorCode().Descriptor().HTTPStatusCode
	}
	return 0
}

// statusText is how the library tells a status for which it has no type.
var statusText = regexp.MustCompile(`StatusCode: ([0-9]{3})\b`)

// elsewhere is where a registry sent a request that then failed; "" if it was
// the registry itself that could not be asked.
func (p *place) elsewhere(err error) string {
	var at *url.Error
	if !errors.As(err, &at) {
		return ""
	}
	to, wrong := url.Parse(at.URL)
	switch {
	case wrong != nil || to.Host == p.host():
		return ""
	case to.Scheme != "http" && to.Scheme != "https":
		return clean(to.Scheme + "://" + to.Host + to.Path)
	}
	return clean(to.Host)
}

// noSpace says whether something could not be written because this machine's disk
// takes no more. Unpacking is done by a process, of whose error there is the text.
func noSpace(err error) bool {
	return err != nil && slices.ContainsFunc([]syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS}, func(no syscall.Errno) bool {
		return errors.Is(err, no) || statusOf(err) == 0 && strings.Contains(err.Error(), no.Error())
	})
}

// clean takes out of a message what can hold credentials: user names and
// passwords in URLs, and their queries, which may be signed.
func clean(message string) string {
	message = printable.Line(strings.Join(strings.Fields(message), " ")) // a registry says part of it
	message = regexp.MustCompile(`(https?://)[^/\s"@]*@`).ReplaceAllString(message, "$1")
	return regexp.MustCompile(`(https?://[^\s"?]*)\?[^\s":]*`).ReplaceAllString(message, "$1")
}
