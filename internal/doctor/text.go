package doctor

import (
	"fmt"
	"strings"
)

// Text renders findings as a table: a sign, a name, what was found; below it,
// where there is something to do, what for and how.
func Text(findings []Finding) string {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Name))
	}
	var b strings.Builder
	count := map[Level]int{}
	for _, f := range findings {
		count[f.Level]++
		fmt.Fprintf(&b, "%s %-*s  %s\n", sign(f.Level), width, f.Name, f.Message)
		if !f.OK {
			fmt.Fprintf(&b, "  %-*s  needed for: %s\n", width, "", f.Needed)
		}
		if f.Hint != "" {
			fmt.Fprintf(&b, "  %-*s  → %s\n", width, "", f.Hint)
		}
	}
	switch {
	case count[Missing] > 0:
		fmt.Fprintf(&b, "\nStrata cannot build here yet: %s.\n", things(count[Missing], "missing"))
	case count[Warning] > 0:
		fmt.Fprintf(&b, "\nStrata can build here; %s.\n", things(count[Warning], "worth a look"))
	default:
		b.WriteString("\nStrata can build here.\n")
	}
	return b.String()
}

func things(n int, what string) string {
	if n == 1 {
		return "one thing is " + what
	}
	return fmt.Sprintf("%d things are %s", n, what)
}

func sign(l Level) string {
	switch l {
	case Note:
		return "·"
	case Warning:
		return "!"
	case Missing:
		return "✘"
	}
	return "✔"
}
