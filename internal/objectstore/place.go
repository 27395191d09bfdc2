package objectstore

import (
	"cmp"
	"net"
	"os"
	"strings"

	"github.com/strata-hpc/strata/internal/layer"
)

// located is a place with what the environment says of it, in the variables of
// Amazon's tools.
func located(p layer.ObjectStore) layer.ObjectStore {
	p.Endpoint = cmp.Or(p.Endpoint, os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"), "https://s3.amazonaws.com")
	p.Region = cmp.Or(p.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	return p
}

// Local says whether an object store is on this machine's loopback address.
func Local(p layer.ObjectStore) bool {
	host, _, err := layer.SplitEndpoint(located(p).Endpoint)
	if err != nil {
		return false
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
