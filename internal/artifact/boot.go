package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strata-hpc/strata/internal/fault"
	"github.com/strata-hpc/strata/internal/layer"
	"github.com/strata-hpc/strata/internal/sandbox"
)

// BootOptions adjust a boot test. The zero value boots in at most ten minutes.
type BootOptions struct {
	Console  io.Writer        // gets the guest's console as it comes; nil: nowhere
	Timeout  time.Duration    // until the default target must be reached; 0 means 600 s
	Memory   int              // MiB; 0 means enough for the image
	CPUs     int              // 0 means two, if this machine has them
	Progress func(say string) // called, from any goroutine, at each stage; may be nil
}

const defaultBootTimeout = 600 * time.Second

// boot is one call of Boot.
type boot struct {
	dir      string // of the artifacts
	manifest *Manifest
	image    layer.Image
	opts     BootOptions

	root    File // the root file system
	console *console
	report  *BootReport
}

// Boot boots the artifacts in dir, which m describes, in a virtual machine
// that fetches the root over HTTP as a cluster node does, waits for the
// default target, and runs image's tests in the guest. Nothing is added to the
// artifacts for that: systemd's debug shell on a second serial line runs them.
//
// The report is there, as far as it goes, whenever the guest was started, also
// beside an error. A system that does not come up, failed units and failed
// tests are faults of kind Failed; Detail holds the end of the console and of
// the units' logs. The guest and its server are gone when Boot returns.
func Boot(ctx context.Context, dir string, m *Manifest, image layer.Image, opts BootOptions) (*BootReport, error) {
	b := &boot{dir: dir, manifest: m, image: image, opts: opts}
	if err := b.check(); err != nil {
		return nil, err
	}
	b.say("looking for an accelerator")
	accel, err := chooseAccel(ctx)
	if err != nil {
		return nil, fmt.Errorf("boot %s: %w", image.Name, err)
	}
	b.report = &BootReport{Image: image.Name, Accel: accel, Tests: []TestResult{}, FailedUnits: []string{}}
	return b.report, b.run(ctx)
}

// check refuses what cannot be booted, and fills in the options' defaults.
func (b *boot) check() error {
	missing := func(what string) error {
		return imageFault(b.image, "it cannot be booted without the artifact %s", what).
			WithHint("a boot test needs the artifacts squashfs, kernel and initrd")
	}
	if _, ok := b.manifest.File(layer.Kernel); !ok {
		return missing("kernel")
	}
	initrd, ok := b.manifest.File(layer.Initrd)
	if !ok {
		return missing("initrd")
	}
	if b.root, ok = b.manifest.File(layer.Squashfs); !ok {
		if b.root, ok = b.manifest.File(layer.Erofs); !ok {
			return missing("squashfs")
		}
	}
	switch {
	case b.manifest.Init != initSystemd:
		return treeFault(b.image, "a boot test needs systemd in the image, which starts the shell that runs the tests").
			WithHint("add systemd-sysv (Debian) or systemd (EL, SUSE) to the packages of a layer")
	case b.root.Type == layer.Erofs && b.manifest.Fetch == liveBoot:
		return treeFault(b.image, "live-boot fetches no erofs").
			WithHint("add the artifact squashfs, or use dracut-live in the initrd")
	case b.manifest.Fetch != liveBoot && b.manifest.Fetch != dracutLive:
		return treeFault(b.image, "its initrd cannot fetch the root over HTTP").
			WithHint("add live-boot and busybox (Debian) or dracut-live (EL) to the packages, and export the image again")
	}
	if b.opts.Timeout <= 0 {
		b.opts.Timeout = defaultBootTimeout
	}
	if b.opts.CPUs <= 0 {
		b.opts.CPUs = min(2, runtime.NumCPU())
	}
	if b.opts.Memory <= 0 {
		b.opts.Memory = memoryFor(b.root.Size, initrd.Size)
	}
	return nil
}

// memoryFor returns the MiB of a guest that keeps the root file system and the
// unpacked initrd in memory, and has room for its programs.
func memoryFor(root, initrd int64) int {
	return 768 + int((root+root/4+4*initrd)>>20)
}

// run starts the guest and tests it; the report tells the rest.
func (b *boot) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	b.console = &console{next: b.opts.Console, alarm: func(trouble string) { stop(errors.New(trouble)) }}

	srv, err := serve(b.dir, b.root.Name, func() { b.say("the guest fetches " + b.root.Name) })
	if err != nil {
		return fmt.Errorf("boot %s: %w", b.image.Name, err)
	}
	defer srv.Close()
	ours, theirs, err := socketPair()
	if err != nil {
		return fmt.Errorf("boot %s: %w", b.image.Name, err)
	}
	defer ours.Close()

	b.say(fmt.Sprintf("starting a guest with %d MiB and %d processors (%s)", b.opts.Memory, b.opts.CPUs, b.report.Accel))
	start := time.Now()
	vm, err := b.start(ctx, stop, srv.URL(), theirs)
	if err != nil {
		return fmt.Errorf("boot %s: %w", b.image.Name, err)
	}
	defer func() { vm.Kill(); _ = vm.Wait() }()

	g := newGuest(ctx, ours, "/run")
	if err := b.reachTarget(ctx, g, start); err != nil {
		return b.failed(ctx, err)
	}
	if err := b.runTests(ctx, g); err != nil {
		return b.failed(ctx, err)
	}
	return b.verdict()
}

// start starts QEMU, which gets the socket shell. When it ends by itself, stop is
// called with the reason.
func (b *boot) start(ctx context.Context, stop context.CancelCauseFunc, url string, shell *os.File) (*sandbox.Process, error) {
	defer shell.Close()
	kernel, _ := b.manifest.File(layer.Kernel)
	initrd, _ := b.manifest.File(layer.Initrd)
	dir, err := filepath.Abs(b.dir)
	if err != nil {
		return nil, err
	}
	cmdline, tty, err := bootCmdline(b.manifest.Cmdline, b.manifest.Fetch, url)
	if err != nil {
		return nil, imageFault(b.image, "%w", err)
	}
	if b.report.Accel == tcg && !strings.Contains(cmdline, "mitigations=") {
		// Nothing to protect, and a fifth of the time until the target.
		cmdline += " mitigations=off"
	}
	vm := machine{Accel: b.report.Accel, Memory: b.opts.Memory, CPUs: b.opts.CPUs,
		Kernel: filepath.Join(dir, kernel.Name), Initrd: filepath.Join(dir, initrd.Name),
		Cmdline: cmdline, ShellTTY: tty}
	text, err := vm.config()
	if err != nil {
		return nil, err
	}
	config, err := inMemory("machine", []byte(text))
	if err != nil {
		return nil, err
	}
	defer config.Close()
	p, err := sandbox.StartHost(ctx, sandbox.Cmd{Args: vm.args(), Files: []*os.File{config, shell}, Stdout: b.console})
	if err != nil {
		return nil, err
	}
	go func() {
		if err := p.Wait(); err != nil {
			stop(err)
			return
		}
		stop(errors.New("the guest powered itself off"))
	}()
	return p, nil
}

// bootCmdline adds to an image's kernel command line what fetches the root,
// what shows the console, and a root shell on the first serial line that the
// image does not use, whose number it returns.
func bootCmdline(cmdline, fetch, url string) (string, int, error) {
	words := strings.Fields(cmdline)
	uses := func(tty string) bool {
		return slices.ContainsFunc(words, func(w string) bool {
			name, _, _ := strings.Cut(strings.TrimPrefix(w, "console="), ",")
			return name == tty
		})
	}
	if !uses("ttyS0") {
		words = append(words, "console=ttyS0")
	}
	switch fetch {
	case liveBoot:
		words = append(words, "boot=live", "fetch="+url, "ip=dhcp")
	case dracutLive:
		words = append(words, "root=live:"+url, "ip=dhcp", "rd.neednet=1")
	}
	for n := 1; n <= 3; n++ {
		tty := fmt.Sprintf("ttyS%d", n)
		if !uses(tty) {
			return strings.Join(append(words, "systemd.debug_shell="+tty), " "), n, nil
		}
	}
	return "", 0, errors.New("its kernel command line uses every serial line, the boot test needs one of ttyS1 to ttyS3")
}

// socketPair is a connection of this process with a program that it starts.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	f := os.NewFile(uintptr(fds[0]), "shell")
	defer f.Close()
	theirs = os.NewFile(uintptr(fds[1]), "shell")
	if ours, err = net.FileConn(f); err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	return ours, theirs, nil
}

// failed turns what ended the boot into a fault with the end of the console.
func (b *boot) failed(ctx context.Context, err error) error {
	if errors.Is(err, errLineClosed) { // QEMU ends, and will say why
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	b.report.Failure = err.Error()
	for _, test := range b.image.Tests[len(b.report.Tests):] {
		b.report.Tests = append(b.report.Tests, TestResult{Name: test.Name, Cause: notRun})
	}
	return b.verdict()
}

// verdict is nil for a report without blemish.
func (b *boot) verdict() error {
	r := b.report
	if r.Passed() {
		return nil
	}
	if r.Failure != "" {
		r.Detail = strings.TrimSpace(r.Detail + "\n\nthe console's last lines:\n" + b.console.Tail())
		return fault.New(fault.Failed, "image %s: the boot test failed: %s", r.Image, r.Failure).
			WithHint("see the whole console with 'strata boot --console %s'", r.Image).
			WithDetail(r.Detail)
	}
	names := r.failed()
	var detail strings.Builder
	for _, t := range r.Tests {
		if !t.Passed {
			fmt.Fprintf(&detail, "%s (%s):\n%s\n", t.Name, t.Cause, t.Output)
		}
	}
	return fault.New(fault.Failed, "image %s: %d of %d tests failed in the booted guest: %s", r.Image, len(names), len(r.Tests), strings.Join(names, ", ")).
		WithDetail(strings.TrimSpace(detail.String() + "\nthe console's last lines:\n" + b.console.Tail()))
}

func (b *boot) say(what string) {
	if b.opts.Progress != nil {
		b.opts.Progress(what)
	}
}
