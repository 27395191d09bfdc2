package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// candidates are settings that the defaults were chosen from. Those that take
// minutes are left out.
func candidates() []candidate {
	var all []candidate
	add := func(kind, args string) { all = append(all, candidate{kind, args}) }
	add("squashfs", "-comp gzip -b 131072")
	add("squashfs", "-comp lz4 -b 262144")
	for _, c := range []struct{ level, kib int }{{1, 256}, {3, 128}, {3, 256}, {3, 512}, {3, 1024}, {6, 256}, {9, 256}, {12, 256}} {
		add("squashfs", fmt.Sprintf("-comp zstd -Xcompression-level %d -b %d", c.level, c.kib<<10))
	}
	add("erofs", "")
	for _, kib := range []int{4, 16, 64, 256} {
		add("erofs", fmt.Sprintf("-zlz4 -C%d", kib<<10))
	}
	add("erofs", "-zlz4hc,9 -C65536")
	return all
}

type candidate struct{ kind, args string }

// settings shows what a choice costs at build time, in size, and at run time.
func settings(l *lab) (Findings, error) {
	var found Findings
	t, err := packTree(l)
	if err != nil {
		return found, err
	}
	out := l.path("tmp", "packed")
	table := Table{
		Title: fmt.Sprintf("Settings of squashfs and erofs, on the tree of %.0f MiB", t.mib),
		Head:  []string{"format", "settings", "time to pack", "size", "read 500 files, cold", "read it all, cold"},
	}
	for _, c := range candidates() {
		if err := os.RemoveAll(out); err != nil {
			return found, err
		}
		script := `mksquashfs "$TREE" "` + out + `" -noappend -no-progress -quiet ` + c.args
		if c.kind == "erofs" {
			script = `mkfs.erofs ` + c.args + ` "` + out + `" "$TREE"`
		}
		seconds, _, err := t.mounted("settings", script)
		if err != nil {
			return found, err
		}
		st, err := os.Stat(out)
		if err != nil {
			return found, err
		}
		some, all := readCold(l, c.kind, out)
		args := c.args
		if args == "" {
			args = "not compressed"
		}
		table.Rows = append(table.Rows, []string{c.kind, "`" + args + "`", number(seconds) + " s", fmt.Sprintf("%.0f MiB", float64(st.Size())/(1<<20)), some, all})
	}
	found.Tables = []Table{table}
	found.Notes = append(found.Notes, "Settings: measured once each. Reading is from the packed file mounted through a loop device, after the kernel's caches were dropped: every n-th file as when programs start, and the whole tree.")
	return found, os.RemoveAll(out)
}

// readCold mounts a packed tree and reads from it; "–" where this machine cannot.
func readCold(l *lab, kind, path string) (some, all string) {
	const script = `mount -t "$1" -o ro,loop "$2" "$TREE"; cd "$TREE"
find . -xdev -type f -size -2048k | sort > "$3.list"
awk -v n="$(wc -l < "$3.list")" 'NR % int(n / 500) == 0' "$3.list" > "$3.some"
measure() { sync; echo 3 > /proc/sys/vm/drop_caches; t0=$(date +%s%N); "$@" > /dev/null; t1=$(date +%s%N); echo $(( (t1 - t0) / 1000000 )); }
some() { xargs -d '\n' cat < "$1"; }
whole() { find . -xdev -type f -print0 | xargs -0 cat; }
measure some "$3.some"; measure whole`
	at := l.path("tmp", "tree")
	_, out, err := l.output(command{Name: "read-cold", Env: []string{"TREE=" + at}, Args: []string{"unshare", "--mount", "sh", "-ec", script, "sh", kind, path, l.path("tmp", "files")}})
	fields := strings.Fields(string(out))
	if err != nil || len(fields) != 2 {
		return "–", "–"
	}
	return seconds(fields[0]), seconds(fields[1])
}

func seconds(milliseconds string) string {
	ms, err := strconv.ParseFloat(milliseconds, 64)
	if err != nil {
		return "–"
	}
	return number(ms/1000) + " s"
}

// onPath says whether a program is there.
func onPath(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
