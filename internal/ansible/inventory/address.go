package inventory

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file is ansible/parsing/utils/addresses.py and the ranges of
// ansible/plugins/inventory/__init__.py.

const (
	numericRange = `\[[0-9]+:[0-9]+(?::[0-9]+)?\]`
	hexRange     = `\[[0-9a-f]+:[0-9a-f]+(?::[0-9]+)?\]`
	labelRange   = `\[(?:[a-z]:[a-z]|[0-9]+:[0-9]+)(?::[0-9]+)?\]`
	ipv4Part     = `(?:[01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5]|` + numericRange + `)`
)

var (
	bracketedPort = regexp.MustCompile(`^\[(.+)\]:([0-9]+)$`)
	hostPort      = regexp.MustCompile(`^((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)$`)
	ipv4          = regexp.MustCompile(`(?i)^(?:` + ipv4Part + `\.){3}` + ipv4Part + `$`)
	ipv6          = regexp.MustCompile(ipv6Form())
	startRange    = regexp.MustCompile(`(?i)^` + labelRange)
)

// ipv6Form has the anchors where Ansible has them: most alternatives match a
// beginning.
func ipv6Form() string {
	c := `(?:[0-9a-f]{1,4}|` + hexRange + `)`
	alternatives := []string{
		`(?:C:){7}C`, `(?:C:){1,6}:`, `(?:C:)(?::C){1,6}`, `(?:C:){2}(?::C){1,5}`, `(?:C:){3}(?::C){1,4}`,
		`(?:C:){4}(?::C){1,3}`, `(?:C:){5}(?::C){1,2}`, `(?:C:){6}(?::C)`, `:(?::C){1,6}`, `C?::`,
		`(?:0:){6}(?:C\.){3}C`, `::(?:ffff:)?(?:C\.){3}C`, `(?:0:){5}ffff:(?:C\.){3}C$`,
	}
	return `(?i)^(?:` + strings.ReplaceAll(strings.Join(alternatives, "|"), "C", c) + `)`
}

// address is a name or an address, perhaps with ranges, and a port.
type address struct{ host, port string }

// parseAddress takes an address apart; false if it is none.
func parseAddress(s string) (address, bool) {
	a := address{host: s}
	if m := bracketedPort.FindStringSubmatch(a.host); m != nil {
		a = address{m[1], m[2]}
	}
	if m := hostPort.FindStringSubmatch(a.host); m != nil {
		a = address{m[1], m[2]}
	}
	ok := a.host != "" && (isHostname(a.host) || ipv4.MatchString(a.host) || ipv6.MatchString(a.host))
	return a, ok
}

// isHostname reports whether s is labels with dots between them: each begins
// with a letter, digit, underscore or range, and does not end in - or _.
func isHostname(s string) bool {
	for {
		n := labelLength(s)
		if n == 0 || s[n-1] == '-' || s[n-1] == '_' {
			return false
		}
		if n == len(s) {
			return true
		}
		if s[n] != '.' {
			return false
		}
		s = s[n+1:]
	}
}

func labelLength(s string) int {
	n := 0
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		switch {
		case unicode.IsLetter(r) || unicode.IsNumber(r) || r == '_' || r == '-' && n > 0:
			n += size
		case r == '[':
			m := startRange.FindString(s[n:])
			if m == "" {
				return n
			}
			n += len(m)
		default:
			return n
		}
	}
	return n
}

// hostPattern is what one name in an inventory stands for.
type hostPattern struct {
	names []string
	port  string
}

// expandPattern returns the hosts of a name with ranges, and their port.
func expandPattern(s string) (hostPattern, error) {
	a, ok := parseAddress(s)
	if !ok {
		a = address{host: s}
	}
	if !strings.Contains(a.host, "[") {
		return hostPattern{[]string{a.host}, a.port}, nil
	}
	names, err := expandRange(nil, a.host)
	return hostPattern{names, a.port}, err
}

// expandRange adds to names those of a name with the ranges [x:y] or [x:y:step].
func expandRange(names []string, s string) ([]string, error) {
	// Ansible takes the first of each kind of bracket, in whatever order.
	i, j := strings.IndexByte(s, '['), strings.IndexByte(s, ']')
	if j < 0 || strings.Contains(s, "|") {
		return nil, fmt.Errorf("the range in %q is not closed", s)
	}
	i, j = min(i, j), max(i, j)
	head, inside, tail := s[:i], s[i+1:j], s[j+1:]
	items, err := rangeItems(inside)
	if err != nil {
		return nil, fmt.Errorf("range [%s]: %w", inside, err)
	}
	for _, item := range items {
		name := head + item + tail
		if !strings.Contains(name, "[") {
			names = append(names, name)
		} else if names, err = expandRange(names, name); err != nil {
			return nil, err
		}
		if len(names) > mostHosts {
			return nil, fmt.Errorf("more than %d hosts", mostHosts)
		}
	}
	return names, nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

func rangeItems(inside string) ([]string, error) {
	bounds := strings.Split(inside, ":")
	if len(bounds) != 2 && len(bounds) != 3 {
		return nil, fmt.Errorf("it is begin:end or begin:end:step")
	}
	begin, end := bounds[0], bounds[1]
	if begin == "" {
		begin = "0"
	}
	if end == "" {
		return nil, fmt.Errorf("it has no end")
	}
	width := 0
	if begin[0] == '0' && len(begin) > 1 {
		if width = utf8.RuneCountInString(begin); width != utf8.RuneCountInString(end) {
			return nil, fmt.Errorf("begin and end have different lengths")
		}
	}
	step, stepOK := 1, true
	if len(bounds) == 3 {
		step, stepOK = pythonInt(bounds[2])
	}
	if i, j := strings.Index(letters, begin), strings.Index(letters, end); i >= 0 && j >= 0 {
		if i > j {
			return nil, fmt.Errorf("its begin is after its end")
		}
		if stepOK && step != 0 {
			return letterItems(i, j, step), nil
		}
	}
	i, ok := pythonInt(begin)
	j, ok2 := pythonInt(end)
	if !ok || !ok2 || !stepOK || step == 0 {
		return nil, fmt.Errorf("it is neither of numbers nor of letters")
	}
	return numberItems(i, j, step, width)
}

func letterItems(i, j, step int) (items []string) {
	for ; step > 0 && i <= j; i += step {
		items = append(items, letters[i:i+1])
		if step > len(letters) {
			break
		}
	}
	return items
}

func numberItems(i, j, step, width int) (items []string, err error) {
	const far = 1 << 40
	if max(i, j, step) > far || min(i, j, step) < -far {
		return nil, fmt.Errorf("its numbers are too large")
	}
	for ; step > 0 && i <= j || step < 0 && i > j+1; i += step {
		item := strconv.Itoa(i)
		if pad := width - len(item); pad > 0 {
			sign := ""
			if item[0] == '-' {
				sign, item = "-", item[1:]
			}
			item = sign + strings.Repeat("0", pad) + item
		}
		if items = append(items, item); len(items) > mostHosts {
			return nil, fmt.Errorf("more than %d hosts", mostHosts)
		}
	}
	return items, nil
}

// pythonInt is Python's int() of a string, as far as an int of Go goes.
func pythonInt(s string) (int, bool) {
	s = strings.TrimSpace(s)
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || len(s)-len(digits) > 1 || strings.Contains(s, "__") ||
		strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") {
		return 0, false
	}
	n, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
	return n, err == nil
}
