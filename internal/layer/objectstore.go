package layer

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// ObjectStore is a place in an object store that speaks S3.
type ObjectStore struct {
	Bucket   string
	Prefix   string // of all names, without slashes at its ends; may be ""
	Endpoint string // http[s]://HOST[:PORT]; "" leaves it to the environment
	Region   string // "" leaves it to the environment
	Trusted  bool   // nobody can write there who may not decide what is there
}

// bucketName is what a bucket may be called everywhere (Amazon S3, "General purpose
// bucket naming rules").
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// ParseObjectStore reads s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&trusted=true],
// the form that Go CDK and others have for it.
func ParseObjectStore(text string) (s ObjectStore, err error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "s3":
		return s, errors.New("it is not s3://BUCKET/PREFIX")
	case u.User != nil:
		return s, errors.New("it holds credentials")
	case !bucketName.MatchString(u.Host):
		return s, fmt.Errorf("%q is no name of a bucket", u.Host)
	}
	s.Bucket, s.Prefix = u.Host, strings.Trim(path.Clean("/"+u.Path), "/")
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return s, fmt.Errorf("read what stands behind the question mark: %w", err)
	}
	for name, values := range query {
		switch value := values[0]; {
		case name == "endpoint":
			s.Endpoint = value
		case name == "region":
			s.Region = value
		case name == "trusted" && (value == "true" || value == "false"):
			s.Trusted = value == "true"
		default:
			return s, fmt.Errorf("%s=%s means nothing: there are endpoint, region and trusted=true", name, value)
		}
	}
	if s.Endpoint != "" {
		_, _, err = SplitEndpoint(s.Endpoint)
	}
	return s, err
}

// SplitEndpoint returns HOST[:PORT] of an object store's endpoint, and whether it
// has TLS.
func SplitEndpoint(text string) (host string, secure bool, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return "", false, errors.New("its endpoint is not http[s]://HOST[:PORT]")
	}
	return u.Host, u.Scheme == "https", nil
}

// Object is where an object is, as people read it.
func (s ObjectStore) Object(name string) string { return "s3://" + path.Join(s.Bucket, s.Prefix, name) }
