package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// values are secrets of several kinds.
func values() Values {
	r := rand.New(rand.NewPCG(3, 3))
	random := make([]byte, 1024)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	var key strings.Builder
	key.WriteString("-----BEGIN PRIVATE KEY-----\n")
	text := base64.StdEncoding.EncodeToString(random)
	for ; len(text) > 64; text = text[64:] {
		key.WriteString(text[:64] + "\n")
	}
	key.WriteString(text + "\n-----END PRIVATE KEY-----\n")
	return Values{
		"token": []byte("correct-horse-battery"), "short": []byte("hunter-2"), "line": []byte("with a line end\n"), "odd": []byte(`p"a<s>s/w&o+r d%é`),
		"munge": random, "key": []byte(key.String()),
	}
}

// wrapped breaks a text into lines.
func wrapped(s, end string, width int) string {
	var b strings.Builder
	for ; len(s) > width; s = s[width:] {
		b.WriteString(s[:width] + end)
	}
	return b.String() + s
}

// given are the ways in which programs give a value away.
func given(v []byte) map[string]string {
	s := string(v)
	quoted, _ := json.Marshal(s)
	ways := map[string]string{
		"as it is": s, "with carriage returns": strings.ReplaceAll(s, "\n", "\r\n"), "hex": hex.EncodeToString(v), "HEX": strings.ToUpper(hex.EncodeToString(v)),
		"xxd -p": wrapped(hex.EncodeToString(v), "\n", 60),
		"query":  url.QueryEscape(s), "path": url.PathEscape(s), "json": string(quoted), "html": html.EscapeString(s),
	}
	for before := range 4 {
		text := append(bytes.Repeat([]byte("x"), before), v...)
		for after := range 3 {
			text := append(bytes.Clone(text), strings.Repeat("y", after)...)
			for name, alphabet := range map[string]*base64.Encoding{"std": base64.StdEncoding, "url": base64.URLEncoding, "raw": base64.RawStdEncoding} {
				ways[fmt.Sprintf("base64 %s %d %d", name, before, after)] = alphabet.EncodeToString(text)
			}
		}
		ways[fmt.Sprintf("base64(1) %d", before)] = wrapped(base64.StdEncoding.EncodeToString(text), "\n", 76)
		ways[fmt.Sprintf("PEM %d", before)] = wrapped(base64.StdEncoding.EncodeToString(text), "\r\n", 64)
		for width := 1; width < 12; width++ {
			ways[fmt.Sprintf("lines of %d, %d", width, before)] = wrapped(base64.StdEncoding.EncodeToString(text), "\n", max(width, 5))
		}
	}
	for at := range len(v) { // a line ends anywhere
		text := hex.EncodeToString(v)
		ways[fmt.Sprintf("hex broken at %d", at)] = text[:at] + "\n" + text[at:]
	}
	return ways
}

// TestFound finds each secret in each form, wherever it lies in a stream.
func TestFound(t *testing.T) {
	all := values()
	finder := NewFinder(all)
	r := rand.New(rand.NewPCG(4, 4))
	for name, v := range all {
		for how, text := range given(v) {
			if how == "with carriage returns" && name == "line" || name == "munge" && (how == "json" || how == "html" || how == "with carriage returns") {
				continue // they hold other bytes then
			}
			if how == "with carriage returns" && name == "key" {
				continue // see TestKeyLines
			}
			before := r.IntN(9)
			if r.IntN(3) == 0 {
				before = streamPart + finder.keep - r.IntN(len(text)+2) // across the end of a part
			}
			var found []Found
			s := finder.Stream(func(f Found) { found = append(found, f) })
			rest := []byte(strings.Repeat(".", before) + text + "\n.......")
			for len(rest) > 0 {
				n := min(len(rest), 1+r.IntN(1<<17))
				_, _ = s.Write(rest[:n])
				rest = rest[n:]
			}
			_ = s.Close()
			ok := false
			for _, f := range found {
				ok = ok || f.Secret == name && f.From >= int64(before) && f.From < int64(before+len(text))
			}
			if !ok {
				t.Fatalf("%s, %s behind %d: found %v in %.100q", name, how, before, found, text)
			}
		}
	}
}

// TestKeyLines finds a key by its lines, and none by its heading.
func TestKeyLines(t *testing.T) {
	all := values()
	finder := NewFinder(all)
	lines := strings.Split(string(all["key"]), "\n")
	if found := finder.In([]byte("key: |\r\n  " + strings.Join(lines, "\r\n  "))); len(found) == 0 || found[0].Secret != "key" {
		t.Errorf("found %v", found)
	}
	if found := finder.In([]byte(lines[0] + "\nMIIB\n" + lines[len(lines)-2])); len(found) > 0 {
		t.Errorf("another key is found: %v", found)
	}
}

// TestNotFound finds nothing in what holds none.
func TestNotFound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	part := make([]byte, 1<<20)
	s := NewFinder(values()).Stream(func(f Found) { t.Errorf("found %v", f) })
	for round := range 16 {
		for i := range part {
			part[i] = byte(r.Uint32())
			if round%2 == 0 {
				part[i] = base64Sign(part[i])
			}
		}
		_, _ = s.Write(part)
	}
	_ = s.Close()
	if short := (Values{"pin": []byte("1234\n"), "none": nil, "token": []byte("12345678")}).Short(); len(short) != 1 || short[0] != "pin" {
		t.Errorf("short are %q", short)
	}
}

func base64Sign(b byte) byte {
	return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[b%64]
}

// TestBlot blots out each form, however the text comes.
func TestBlot(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for name, v := range values() {
		for how, text := range given(v) {
			if name == "munge" && (how == "json" || how == "html") || how == "with carriage returns" {
				continue
			}
			if len(v) > 500 && r.IntN(20) > 0 {
				continue // many, and slow
			}
			var out bytes.Buffer
			b := NewBlotter(&out, Values{name: v})
			rest := "before " + text + " after\nnext line\n"
			for rest != "" {
				n := min(len(rest), 1+r.IntN(len(text)))
				if _, err := b.Write([]byte(rest[:n])); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			_ = b.Close()
			got := out.String()
			most := len("before  after\nnext line\n") + 120 + bytes.Count(v, []byte("\n"))*len(Blot+`\n`) // a key's lines may be blotted out one by one
			if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after\nnext line\n") && !strings.HasSuffix(got, Blot+"after\nnext line\n") || !strings.Contains(got, Blot) || len(got) > most {
				t.Fatalf("%s, %s: %.300q became %.300q", name, how, text, got)
			}
		}
	}
}

// TestBlotAcross blots out what two writes have in common, also short secrets, and
// holds nothing back that is none.
func TestBlotAcross(t *testing.T) {
	var out bytes.Buffer
	b := NewBlotter(&out, Values{"pin": []byte("4711"), "token": []byte("correct-horse")})
	for _, part := range []string{"pin 47", "11, correct", "-horse and corr"} {
		_, _ = b.Write([]byte(part))
	}
	if got := out.String(); got != "pin [secret], [secret] and " {
		t.Errorf("so far %q", got)
	}
	_, _ = b.Write([]byte("ect\n"))
	if got := out.String(); got != "pin [secret], [secret] and correct\n" {
		t.Errorf("in the end %q", got)
	}
}

// TestDigest: digests are the same everywhere, and others where anything else is.
func TestDigest(t *testing.T) {
	const want = "b08d5abd6e8970fa0d96eeee0d421e243d75ae8701def2887976b86d7b14ab9a"
	got := Digest("eagle", "token", []byte("correct-horse"))
	if got != want {
		t.Errorf("it is %s: all keys of nodes with secrets are others now", got)
	}
	for _, other := range []string{Digest("hawk", "token", []byte("correct-horse")), Digest("eagle", "key", []byte("correct-horse")), Digest("eagle", "token", []byte("correct-horsf"))} {
		if other == got || len(other) != 64 {
			t.Errorf("another one is %s", other)
		}
	}
}
