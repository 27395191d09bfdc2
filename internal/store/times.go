package store

import (
	"time"

	"golang.org/x/sys/unix"
)

// Epoch is the time that everything a build writes carries: a layer tells what
// it holds, not when it was made. Steps see it as SOURCE_DATE_EPOCH.
var Epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	// grain is the coarsest step to which programs cut the times that they give
	// to files: cp -p and touch may cut to seconds, zip archives hold even ones.
	// A time from the build's first moments so cut lies before its start.
	grain = 2 * time.Second
	// lag is how far behind the clock is that file systems take times from.
	lag = 50 * time.Millisecond
)

// clock knows which times a build has made, in seconds since 1970: those from
// this one on.
type clock int64

// clockFrom returns the clock of a build that starts now.
func clockFrom(start time.Time) clock { return clock(start.Add(-lag).Truncate(grain).Unix()) }

// ours says whether a time is the build's own, or later still.
func (c clock) ours(t unix.Timespec) bool { return t.Sec >= int64(c) }

// normal returns the form in which a time is kept, in seconds since 1970: whole
// seconds from 0 on, as squashfs has no others, and Epoch for the build's own. So a
// file has the same time in the store and in every form that leaves it.
func (c clock) normal(t unix.Timespec) int64 {
	if c.ours(t) {
		return Epoch.Unix()
	}
	return max(t.Sec, 0)
}
