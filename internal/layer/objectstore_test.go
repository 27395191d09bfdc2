package layer

import (
	"strings"
	"testing"
)

func TestParseObjectStore(t *testing.T) {
	for text, want := range map[string]ObjectStore{
		"s3://images":                           {Bucket: "images"},
		"s3://images/a//b/../c/":                {Bucket: "images", Prefix: "a/c"},
		"s3://images/../..":                     {Bucket: "images"},
		"s3://i.x?endpoint=http://h:1&region=r": {Bucket: "i.x", Endpoint: "http://h:1", Region: "r"},
		"s3://images?trusted=true":              {Bucket: "images", Trusted: true},
	} {
		if got, err := ParseObjectStore(text); err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, says := range map[string]string{
		"images":                            "s3://BUCKET/PREFIX",
		"http://images":                     "s3://BUCKET/PREFIX",
		"s3://":                             "no name of a bucket",
		"s3://Images":                       "no name of a bucket",
		"s3://images:80":                    "no name of a bucket",
		"s3://a:b@images":                   "credentials",
		"s3://images?trusted=yes":           "trusted=yes means nothing",
		"s3://images?secret=x":              "secret=x means nothing",
		"s3://images?endpoint=h":            "http[s]://HOST[:PORT]",
		"s3://images?endpoint=http://h/x":   "http[s]://HOST[:PORT]",
		"s3://images?endpoint=http://a:b@h": "http[s]://HOST[:PORT]",
	} {
		if _, err := ParseObjectStore(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q", text, err, says)
		}
	}
}

func TestObject(t *testing.T) {
	if got := (ObjectStore{Bucket: "b", Prefix: "p"}).Object("x/y"); got != "s3://b/p/x/y" {
		t.Error(got)
	}
}
