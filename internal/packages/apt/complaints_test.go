package apt

import (
	"strings"
	"testing"
)

// Of what dpkg says on standard error, the error is kept, and what it says of the
// order is not, however the text is cut.
func TestComplaints(t *testing.T) {
	const order = `dpkg: regarding .../base-files_12.4_amd64.deb containing base-files, pre-dependency problem:
 base-files pre-depends on awk
  awk is not installed.

dpkg: warning: ignoring pre-dependency problem!
dpkg: libc6:amd64: dependency problems, but configuring anyway as you requested:
 libc6:amd64 depends on libgcc-s1; however:
  Package libgcc-s1:amd64 is not configured yet.

`
	const failure = `dpkg: error processing archive /run/strata/archives/coreutils_9.1-1_amd64.deb (--install):
 cannot copy extracted data for './bin/sort' to '/bin/sort.dpkg-new': failed to write (No space left on device)
`
	const script = "useradd: cannot lock /etc/passwd\n"
	text := order + failure + order + script + order + "Errors were encountered while processing:\n coreutils\nno end"
	for _, size := range []int{1, 7, 4096} {
		var c complaints
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			_, _ = c.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if want := failure + script + "Errors were encountered while processing:\n coreutils\nno end"; c.String() != want {
			t.Errorf("cut at %d:\n%s", size, c.String())
		}
	}
	var much complaints
	_, _ = much.Write([]byte(strings.Repeat("x\n", 10000) + "the end\n"))
	if got := much.String(); len(got) != mostComplaints || !strings.HasSuffix(got, "the end\n") {
		t.Errorf("%d bytes are kept", len(got))
	}
}
