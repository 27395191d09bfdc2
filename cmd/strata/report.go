package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/printable"
)

// report prints an error: as sentences and hints, or as JSON objects.
func (a *app) report(err error) {
	faults := fault.All(err)
	if len(faults) == 0 {
		faults = []*fault.Error{fault.New(fault.KindOf(err), "%w", err)}
	}
	said := map[string]bool{}
	for _, f := range faults {
		// Several nodes may have met one fault.
		if text := f.Error() + "\x00" + f.Hint + "\x00" + f.Detail; said[text] {
			continue
		} else {
			said[text] = true
		}
		if a.json() {
			_ = json.NewEncoder(a.err).Encode(f)
			continue
		}
		// A further line is one of the message, whatever it says.
		fmt.Fprintf(a.err, "strata: %s\n", strings.ReplaceAll(printable.Text(f.Error()), "\n", "\n  "))
		printIndented(a, f.Snippet, "  | ")
		printIndented(a, f.Detail, "  | ")
		if f.Hint != "" {
			fmt.Fprintf(a.err, "  hint: %s\n", printable.Line(f.Hint))
		}
	}
}

// note says what is to know besides, in one line.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.err, "strata: note: %s\n", printable.Line(fmt.Sprintf(format, args...)))
}

func printIndented(a *app, text, indent string) {
	if text == "" {
		return
	}
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n") {
		fmt.Fprintf(a.err, "%s%s\n", indent, printable.Text(strings.TrimRight(line, "\r\n")))
	}
}

// printJSON prints a result for a program.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// size renders bytes for people.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < 4 {
		value, prefix = value/unit, prefix+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[prefix])
}

// seconds renders a duration for people.
func seconds(s float64) string {
	switch {
	case s < 0.1:
		return fmt.Sprintf("%.0f ms", s*1000)
	case s < 100:
		return fmt.Sprintf("%.1f s", s)
	}
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}

// writeReport writes a report to a file that a flag names.
func (a *app) writeReport(name string, content []byte) error {
	name = a.path(name)
	if err := os.WriteFile(name, content, 0o644); err != nil {
		half, ok := errors.AsType[*os.PathError](err)
		if info, gone := os.Stat(name); gone == nil && info.Mode().IsRegular() && ok && half.Op == "write" {
			os.Remove(name)
		}
		return fault.New(fault.Failed, "write report: %w", err)
	}
	return nil
}
