package ansible

import (
	"strings"
)

// What a computed text can be is told by patterns: texts in which unknownText
// stands for anything, wordText for anything without a slash, and projectText for
// the project's directory.
const (
	unknownText = "\x00"
	projectText = "\x01"
	wordText    = "\x02"

	wildcards = unknownText + wordText
)

const (
	longestPattern = 4096 // bytes; what is longer is as good as unknown
	mostWildcards  = 8    // in a pattern whose slashes matter; beyond, wordText stands for anything, too
)

// computed reports whether a pattern stands for more than one text.
func computed(pattern string) bool { return strings.ContainsAny(pattern, wildcards) }

// fixedPart is what each text of a pattern begins with.
func fixedPart(pattern string) string {
	if i := strings.IndexAny(pattern, wildcards); i >= 0 {
		return pattern[:i]
	}
	return pattern
}

// matches reports whether a text can be what a pattern says.
func matches(pattern, text string) bool {
	first := strings.IndexAny(pattern, wildcards)
	if first < 0 {
		return pattern == text
	}
	last := strings.LastIndexAny(pattern, wildcards) + 1
	before, after := pattern[:first], pattern[last:]
	if len(text) < len(before)+len(after) || !strings.HasPrefix(text, before) || !strings.HasSuffix(text, after) {
		return false
	}
	wild, text := pattern[first:last], text[len(before):len(text)-len(after)]
	if strings.Count(wild, unknownText)+strings.Count(wild, wordText) > mostWildcards {
		wild = strings.ReplaceAll(wild, wordText, unknownText)
	}
	return matchesWild(wild, text)
}

// matchesWild is matches of a pattern that begins and ends with a wildcard.
func matchesWild(pattern, text string) bool {
	word := pattern[:1] == wordText
	if len(pattern) == 1 {
		return !word || !strings.Contains(text, "/")
	}
	next := 1 + strings.IndexAny(pattern[1:], wildcards)
	literal := pattern[1:next]
	anything := !strings.Contains(pattern, wordText)
	for from := 0; ; {
		i := strings.Index(text[from:], literal)
		if i < 0 || word && strings.Contains(text[:from+i], "/") {
			return false
		}
		from += i
		if matchesWild(pattern[next:], text[from+len(literal):]) {
			return true
		}
		if from++; anything || from > len(text) {
			return false // the first place leaves the most
		}
	}
}

// widened is one pattern for several: what they begin and end with.
func widened(texts []string) string {
	before, after := texts[0], texts[0]
	for _, t := range texts[1:] {
		n := 0
		for n < len(before) && n < len(t) && before[n] == t[n] {
			n++
		}
		before = before[:n]
	}
	for i, t := range texts {
		t = t[len(before):]
		if i == 0 {
			after = t
		}
		n := 0
		for n < len(after) && n < len(t) && after[len(after)-1-n] == t[len(t)-1-n] {
			n++
		}
		after = after[len(after)-n:]
	}
	between := wordText
	for _, t := range texts {
		if strings.ContainsAny(t[len(before):len(t)-len(after)], "/"+unknownText+projectText) {
			between = unknownText
			break
		}
	}
	return before + between + after
}

// globbed is the pattern of a shell's pattern, or something that matches more.
func globbed(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '*', '?':
			b.WriteString(wordText)
		case '[':
			b.WriteString(wordText)
			if end := strings.IndexByte(name[i:], ']'); end > 0 {
				i += end
			}
		default:
			b.WriteByte(name[i])
		}
	}
	return b.String()
}
