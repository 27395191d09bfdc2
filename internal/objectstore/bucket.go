// Package objectstore puts files into a bucket of an S3 object store, and takes
// them from there.
//
// It knows no images and believes nothing: what an object is to be, its caller
// says, and what comes otherwise is an error.
package objectstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/retry"
)

var (
	// ErrNotThere says that there is no such object.
	ErrNotThere = errors.New("not there")
	// ErrThere says that there is one, where there should be none.
	ErrThere = errors.New("it is there already")
	// ErrDamaged says that an object is not what it should be.
	ErrDamaged = errors.New("it is not what it should be")
	// ErrUnreachable says that the object store cannot be asked at all.
	ErrUnreachable = errors.New("the object store cannot be reached")
)

// Options of Open. The zero value is the usual.
type Options struct {
	Patience time.Duration // how long the object store may move next to nothing; 0 stands for two minutes
}

// Bucket is a place in an object store that can be read and written.
type Bucket struct {
	place    layer.ObjectStore
	client   minio.Core
	patience time.Duration
}

// Open prepares to use a place; nothing is asked yet. Credentials, and what the
// place does not say, are where Amazon's tools have them: in the AWS_ variables,
// in ~/.aws/credentials, or given to the machine or the container.
func Open(p layer.ObjectStore, o Options) (*Bucket, error) {
	p = located(p)
	host, secure, err := layer.SplitEndpoint(p.Endpoint)
	if err != nil {
		return nil, fault.New(fault.Input, "open %s: %w", p.Object(""), err).WithHint("set endpoint= behind the bucket's name, or AWS_ENDPOINT_URL")
	}
	providers := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if givenToMachine(host) {
		providers = append(providers, &credentials.IAM{})
	}
	client, err := minio.NewCore(host, &minio.Options{
		Creds: credentials.NewChainCredentials(providers), Secure: secure, Region: p.Region, MaxRetries: retry.Attempts,
	})
	if err != nil {
		return nil, fault.New(fault.Input, "open %s: %w", p.Object(""), err).WithHint("see that the endpoint %s is right", p.Endpoint)
	}
	client.SetAppInfo("strata", "1")
	return &Bucket{p, *client, cmp.Or(o.Patience, 2*time.Minute)}, nil
}

// givenToMachine says whether the machine itself may have credentials. Where it
// cannot, asking takes long.
func givenToMachine(host string) bool {
	for _, name := range []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return strings.HasSuffix(host, ".amazonaws.com")
}

// At is where an object is, as people read it.
func (b *Bucket) At(name string) string { return b.place.Object(name) }

func (b *Bucket) key(name string) string { return path.Join(b.place.Prefix, name) }

// Read returns a small object. One of more bytes than most is an error.
func (b *Bucket) Read(ctx context.Context, name string, most int64) (content []byte, err error) {
	err = b.attempt(ctx, "read", name, func(a *retry.Attempt) error {
		body, _, _, err := b.client.GetObject(a, b.place.Bucket, b.key(name), minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer body.Close()
		content, err = io.ReadAll(io.LimitReader(a.Reader(body), most+1))
		if err == nil && int64(len(content)) > most {
			err = fmt.Errorf("%w: it has more than %d bytes", ErrDamaged, most)
		}
		return err
	})
	return content, err
}

// Fetch writes an object to a new file. One of another size, or another SHA-256 in
// hex, is ErrDamaged, and no more than that size is written.
func (b *Bucket) Fetch(ctx context.Context, name, to string, size int64, sum string) error {
	return b.attempt(ctx, "fetch", name, func(a *retry.Attempt) error {
		body, _, _, err := b.client.GetObject(a, b.place.Bucket, b.key(name), minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		defer body.Close()
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		h := sha256.New()
		n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(a.Reader(body), size+1))
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		if got := hex.EncodeToString(h.Sum(nil)); n != size || got != sum {
			return fmt.Errorf("%w: %d bytes or more with SHA-256 %.12s, and not %d with %.12s", ErrDamaged, n, got, size, sum)
		}
		return nil
	})
}

// Write puts a small object. With fresh, one that is there already is ErrThere.
func (b *Bucket) Write(ctx context.Context, name string, content []byte, fresh bool) error {
	opts := minio.PutObjectOptions{ContentType: "application/json", SendContentMd5: true}
	if fresh {
		opts.SetMatchETagExcept("*")
	}
	return b.attempt(ctx, "write", name, func(a *retry.Attempt) error {
		_, err := b.client.Client.PutObject(a, b.place.Bucket, b.key(name), bytes.NewReader(content), int64(len(content)), opts)
		return err
	})
}

// sumMetadata is what says of an object which SHA-256 it has.
const sumMetadata = "Sha256"

// Send puts a file of a size and a SHA-256 in hex, unless one is there that says
// that it has them; with anew, even then. It returns how many bytes were sent.
func (b *Bucket) Send(ctx context.Context, name, from string, size int64, sum string, anew bool) (sent int64, err error) {
	opts := minio.PutObjectOptions{ContentType: "application/octet-stream", UserMetadata: map[string]string{sumMetadata: sum}}
	err = b.attempt(ctx, "send", name, func(a *retry.Attempt) error {
		if !anew {
			there, err := b.client.StatObject(a, b.place.Bucket, b.key(name), minio.StatObjectOptions{})
			if err == nil && there.Size == size && there.UserMetadata[sumMetadata] == sum {
				return nil
			}
			if err != nil && !absent(err) {
				return err
			}
		}
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := b.client.Client.PutObject(a, b.place.Bucket, b.key(name), a.Reader(f), size, opts)
		sent = info.Size
		return err
	})
	return sent, err
}

// attempt calls do, again if the network may have been at fault, and says what to
// do about what went wrong.
func (b *Bucket) attempt(ctx context.Context, verb, name string, do func(*retry.Attempt) error) error {
	rule := retry.Rule{Patience: b.patience, Wait: time.Second, Passing: passing}
	err := rule.Do(ctx, do)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return b.explain(verb+" "+b.place.Object(name), err)
}

// passing says whether a transfer that broke off may go through the next time. What
// the object store itself answers, the library has tried again.
func passing(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF)
}

func absent(err error) bool {
	r := minio.ToErrorResponse(err)
	return r.Code == minio.NoSuchKey || r.StatusCode == http.StatusNotFound && r.Code != minio.NoSuchBucket
}

// explain turns an error of an object store into what a person can act on.
func (b *Bucket) explain(start string, err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return err // this machine's
	}
	r := minio.ToErrorResponse(err)
	f := fault.New(fault.Failed, "%s: %w", start, err)
	switch {
	case absent(err):
		return fault.New(fault.Failed, "%s: %w", start, ErrNotThere).WithHint("see that the name is right")
	case r.StatusCode == http.StatusPreconditionFailed:
		return fault.New(fault.Failed, "%s: %w", start, ErrThere).WithHint("another one was faster")
	case errors.Is(err, ErrDamaged):
		return f.WithHint("nothing of it was kept; remove it there, and send it again")
	case r.Code == minio.NoSuchBucket:
		return f.WithHint("make the bucket %s, or see that its name and the endpoint %s are right", b.place.Bucket, b.place.Endpoint)
	case r.Code == "InvalidAccessKeyId", r.Code == "SignatureDoesNotMatch", r.Code == "InvalidTokenId", r.Code == "ExpiredToken":
		return f.WithHint("see that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials, are those of %s, and that they are still valid", b.place.Endpoint)
	case r.Code == "RequestTimeTooSkewed":
		return f.WithHint("set this machine's clock")
	case r.StatusCode == http.StatusForbidden, r.StatusCode == http.StatusUnauthorized:
		return f.WithHint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of an account that may read and write %s", b.place.Object(""))
	case r.StatusCode == 0:
		return fault.New(fault.Failed, "%s: %w: %w", start, ErrUnreachable, err).WithHint("see whether %s is up and can be reached from here; the same command goes on from here", b.place.Endpoint)
	}
	return f.WithHint("the log of %s says why", b.place.Endpoint)
}
