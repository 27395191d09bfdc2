package artifact

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// guest drives a root shell behind a serial line, which systemd's debug shell
// offers: no agent in the image, no network, no login.
//
// Ready finds the shell and has it run a small loop that takes scripts in
// base64, in short lines that are answered one by one, since a serial line has
// no flow control and a terminal's buffer is small. Marks that nobody can
// guess tell the loop's answers from anything else on the line. Every line has
// a number and says how long it is: what got lost on the way, there or back,
// is asked for again, and done once.
type guest struct {
	line     io.Writer
	lines    <-chan string // what comes back; closed at the end
	mark     string
	dir      string        // in the guest, for the script and what it prints
	number   int           // of the last line that was sent to the loop
	patience time.Duration // until an answer is asked for again
}

// result is what became of a script.
type result struct {
	Status int // exit status; 124 when the time was up
	Output []byte
}

const (
	guestChunk    = 512      // bytes of base64 in a line: far below the 4096 of a terminal
	guestOutput   = 64 << 10 // bytes of a script's output that are kept, the last ones
	guestPatience = 20 * time.Second
)

// newGuest reads line until it ends or ctx is done; close it to be done.
func newGuest(ctx context.Context, line io.ReadWriter, dir string) *guest {
	lines := make(chan string, 1<<10)
	go func() {
		defer close(lines)
		r := bufio.NewReader(line)
		for {
			s, err := r.ReadString('\n')
			if err != nil {
				return
			}
			select {
			case lines <- strings.TrimRight(s, "\r\n"):
			case <-ctx.Done():
				return
			}
		}
	}()
	return &guest{line: line, lines: lines, mark: "strata-" + rand.Text(), dir: dir, patience: guestPatience}
}

// loop runs in the guest. Lines from us are NUMBER LENGTH WORD: the word
// "+DATA" adds to the script, "!SECONDS" runs it. A line of the same number as
// the last is answered only; one of another length was not received whole. To
// us: "MARK+ NUMBER" for a line that was added; "MARK< NUMBER" before the output
// in base64, and "MARK> NUMBER STATUS LENGTH" after it. The script's output goes
// through a file, so that a process that it leaves behind cannot hold the line.
const loop = `d=$(mktemp -d -p DIR); export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; cd /
echo MARK=; b= n=0
while IFS=' ' read -r i m w; do
[ "${#w}" = "$m" ] || continue
case $i in $n) new=;; $((n+1))) new=1 n=$i;; *) continue;; esac
case $w in
+*) [ ! "$new" ] || b=$b${w#+}; echo MARK+ $n;;
!*) [ ! "$new" ] || { printf %s "$b" | base64 -d >$d/s; b=; timeout -k 5 ${w#!} sh $d/s </dev/null >$d/a 2>&1; r=$?; tail -c BYTES $d/a >$d/o; }
echo MARK'<' $n; base64 $d/o; echo MARK'>' $n $r $(wc -c <$d/o);;
esac; done`

// Ready waits for the shell and starts the loop in it.
func (g *guest) Ready(ctx context.Context) error {
	// Written in two parts, so that the terminal's echo is not taken for an answer.
	hello := fmt.Sprintf("\necho %s''%s\n", g.mark[:12], g.mark[12:])
	if err := g.ask(ctx, hello, g.mark, time.Second); err != nil {
		return fmt.Errorf("wait for the guest's shell: %w", err)
	}
	script := strings.NewReplacer("MARK", g.mark, "DIR", g.dir, "BYTES", strconv.Itoa(guestOutput)).Replace(loop)
	start := "stty raw -echo 2>/dev/null; exec sh -c \"$(echo " + base64.StdEncoding.EncodeToString([]byte(script)) + " | base64 -d)\"\n"
	// Should the terminal be reset while it is on its way, it is sent again; the
	// loop passes over what it does not know.
	if err := g.ask(ctx, start, g.mark+"=", g.patience); err != nil {
		return fmt.Errorf("start in the guest's shell: %w", err)
	}
	return nil
}

// Run runs a shell script in the guest and returns its exit status and the end
// of what it printed. The guest ends it after limit.
func (g *guest) Run(ctx context.Context, script string, limit time.Duration) (*result, error) {
	// The guest is slow, and its clock may be: leave it time to answer.
	ctx, cancel := context.WithTimeoutCause(ctx, limit+time.Minute, errNoAnswer)
	defer cancel()
	data := base64.StdEncoding.EncodeToString([]byte(script))
	for len(data) > 0 {
		n := min(len(data), guestChunk)
		line, number := g.next("+" + data[:n])
		if err := g.ask(ctx, line, g.mark+"+ "+number, g.patience); err != nil {
			return nil, err
		}
		data = data[n:]
	}
	line, number := g.next(fmt.Sprintf("!%d", max(1, int(limit.Seconds()))))
	for wait := limit + g.patience; ; wait = g.patience {
		err := g.ask(ctx, line, g.mark+"< "+number, wait)
		if err != nil {
			return nil, err
		}
		if r, err := g.answer(ctx, number); !errors.Is(err, errGarbled) {
			return r, err
		}
	}
}

// next is the line of a word for the loop, and its number.
func (g *guest) next(word string) (line, number string) {
	g.number++
	return fmt.Sprintf("%d %d %s\n", g.number, len(word), word), strconv.Itoa(g.number)
}

// answer reads what comes between the marks < and > of a line's number.
func (g *guest) answer(ctx context.Context, number string) (*result, error) {
	var encoded bytes.Buffer
	timer := time.After(g.patience)
	for {
		line, err := g.read(ctx, timer)
		if errors.Is(err, errAgain) {
			return nil, errGarbled // its end was lost
		}
		if err != nil {
			return nil, err
		}
		end, ended := strings.CutPrefix(line, g.mark+"> "+number+" ")
		if !ended {
			encoded.WriteString(line)
			continue
		}
		var status, size int
		_, err = fmt.Sscanf(end, "%d %d", &status, &size)
		output, decoded := base64.StdEncoding.DecodeString(encoded.String())
		if err != nil || decoded != nil || len(output) != size {
			return nil, errGarbled
		}
		return &result{Status: status, Output: output}, nil
	}
}

// ask writes text and waits for a line that ends in want. It writes it once more
// each time that so much time has passed.
func (g *guest) ask(ctx context.Context, text, want string, again time.Duration) error {
	for {
		if err := g.write(ctx, text); err != nil {
			return err
		}
		timer := time.After(again)
		for {
			line, err := g.read(ctx, timer)
			if errors.Is(err, errAgain) {
				break
			}
			if err != nil {
				return err
			}
			if strings.HasSuffix(line, want) {
				return nil
			}
		}
	}
}

var (
	errAgain      = errors.New("time to ask again")
	errNoAnswer   = errors.New("the guest does not answer")
	errGarbled    = errors.New("the guest's answer did not come whole")
	errLineClosed = errors.New("the line to the guest is closed")
)

// read returns the next line, errAgain when timer fires, or ctx's cause.
func (g *guest) read(ctx context.Context, timer <-chan time.Time) (string, error) {
	select {
	case line, ok := <-g.lines:
		if !ok {
			return "", errLineClosed
		}
		return line, nil
	case <-timer:
		return "", errAgain
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// write does not wait for ever where nobody reads: closing the line, which
// whoever ends ctx does, ends it too.
func (g *guest) write(ctx context.Context, text string) error {
	done := make(chan error, 1)
	go func() {
		_, err := io.WriteString(g.line, text)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
