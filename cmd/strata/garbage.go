package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// planMemory is how much memory planning may take, in bytes, before garbage is
// collected: a large site's plan comes to less than 400 MB, most of it alive to the
// end, and looking through that time and again would take half of the time.
const planMemory = 360 << 20

// collectLate lets garbage lie until there is too much of it. Where much is alive,
// the Go runtime's own way is the better one, and taken. It returns what ends this.
func collectLate() (end func()) {
	if os.Getenv("GOGC")+os.Getenv("GOMEMLIMIT") != "" {
		return func() {} // somebody knows better
	}
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(planMemory)
	usual := func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	}
	done := make(chan struct{})
	go func() {
		ticks := time.NewTicker(20 * time.Millisecond)
		defer ticks.Stop()
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for {
			select {
			case <-done:
				usual()
				return
			case <-ticks.C:
			}
			if metrics.Read(live); live[0].Value.Kind() == metrics.KindUint64 && live[0].Value.Uint64() > planMemory*2/3 {
				usual()
				<-done
				return
			}
		}
	}()
	return func() { close(done) }
}
